/**
 * A page that is drawn again and again on a screen of its own, and leaves the terminal as it was.
 * Ctrl-C, q and every ending of the process restore it.
 */
import type { ReadStream, WriteStream } from "node:tty";

const OPEN = "\x1b[?1049h\x1b[?25l";
const CLOSE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
/** After each line, so that nothing of a longer one stays; and below the last. */
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const INTERRUPT = "\x03";

export class Screen {
  readonly #output: WriteStream;
  readonly #input: ReadStream;
  readonly #onQuit: () => void;
  #isOpen = true;

  /** @param onQuit  somebody pressed q or Ctrl-C */
  constructor(output: WriteStream, input: ReadStream, onQuit: () => void) {
    this.#output = output;
    this.#input = input;
    this.#onQuit = onQuit;
    // Keys would be echoed into the page otherwise. Ctrl-C is a key then.
    if (input.isTTY) input.setRawMode(true).on("data", this.#pressed).resume();
    output.write(OPEN);
    process.on("exit", this.close);
  }

  /** Draws over the lines before, without a moment of an empty screen. */
  draw(lines: readonly string[]): void {
    if (this.#isOpen)
      this.#output.write(`${HOME}${lines.join(`${CLEAR_LINE}\r\n`)}${CLEAR_LINE}${CLEAR_BELOW}`);
  }

  readonly close = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off("exit", this.close);
    if (this.#input.isTTY) this.#input.setRawMode(false).off("data", this.#pressed).pause();
    this.#output.write(CLOSE);
  };

  readonly #pressed = (keys: Buffer): void => {
    const text = keys.toString("latin1");
    if (text.includes(INTERRUPT) || text.includes("q")) this.#onQuit();
  };
}
