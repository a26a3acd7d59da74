/** The screen of `top`, on streams that stand for a terminal. */
import { EventEmitter } from "node:events";
import type { ReadStream, WriteStream } from "node:tty";
import { expect, test } from "vitest";
import { Screen } from "../../../../agent/terminal/screen.ts";

class Terminal extends EventEmitter {
  isTTY = true;
  written = "";
  isRaw = false;
  isPaused = true;
  write = (text: string) => {
    this.written += text;
  };
  setRawMode = (isRaw: boolean) => {
    this.isRaw = isRaw;
    return this;
  };
  resume = () => {
    this.isPaused = false;
    return this;
  };
  pause = () => {
    this.isPaused = true;
    return this;
  };
}

function opened() {
  const terminal = new Terminal();
  let quits = 0;
  const screen = new Screen(
    terminal as unknown as WriteStream,
    terminal as unknown as ReadStream,
    () => {
      quits++;
    },
  );
  return { terminal, screen, quits: () => quits };
}

test("draws in place, and leaves the terminal as it was", () => {
  const { terminal, screen } = opened();
  expect(terminal).toMatchObject({ isRaw: true, isPaused: false });
  screen.draw(["one", "two"]);
  screen.close();
  screen.close();
  screen.draw(["late"]);
  expect(terminal.written).toBe(
    "\x1b[?1049h\x1b[?25l\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J\x1b[?25h\x1b[?1049l",
  );
  expect(terminal).toMatchObject({ isRaw: false, isPaused: true });
  expect(terminal.listenerCount("data")).toBe(0);
});

test.each([
  ["Ctrl-C", "\x03", 1],
  ["q", "q", 1],
  ["an arrow", "\x1b[A", 0],
])("%s quits %#", (_name, keys, expected) => {
  const { terminal, screen, quits } = opened();
  terminal.emit("data", Buffer.from(keys));
  screen.close();
  expect(quits()).toBe(expected);
});

test("restores the terminal if the process ends in between", () => {
  const before = process.listenerCount("exit");
  const { terminal, screen } = opened();
  const [restore] = process.listeners("exit").slice(before);
  restore?.(1);
  expect(terminal.written.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
  screen.close();
  expect(process.listenerCount("exit")).toBe(before);
});
