/** Pins on the disk of a box, for an agent that starts while the edge is away. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { KeptPins } from "../../../../agent/keep/kept-pins.ts";
import type { Pin } from "../../../../protocol/pin.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "kept-pins-"));
  folders.push(path);
  return path;
}

const PINS: Pin[] = [
  { model: "m:1b", context_length: 8_192, hours: { from: 8, to: 18 }, time_zone: "Europe/Berlin" },
];

test("the next run has the newest pins, and no other user may read them", () => {
  const path = folder();
  const first = new KeptPins(path, () => {});
  expect(first.read()).toBeNull();
  first.write([]);
  first.write(PINS);
  expect(new KeptPins(path, () => {}).read()).toEqual(PINS);
  expect(readdirSync(path)).toEqual(["pins.json"]);
  expect(statSync(join(path, "pins.json")).mode & 0o777).toBe(0o600);
});

test("pins that have not changed are not written again", () => {
  const path = folder();
  new KeptPins(path, () => {}).write(PINS);
  const { mtimeMs, ino } = statSync(join(path, "pins.json"));
  const next = new KeptPins(path, () => {});
  next.read();
  next.write(PINS);
  expect(statSync(join(path, "pins.json"))).toMatchObject({ mtimeMs, ino });
});

test.each(["", "{", "[]x", '[{"model":7}]', "null"])("a damaged file (%j) is no pin", (text) => {
  const path = folder();
  writeFileSync(join(path, "pins.json"), text);
  expect(new KeptPins(path, () => {}).read()).toBeNull();
});

test("a disk that takes no file is reported, and the agent goes on", () => {
  const events: string[] = [];
  new KeptPins(join(folder(), "absent"), (_level, event) => events.push(event)).write(PINS);
  expect(events).toEqual(["pins_not_kept"]);
});
