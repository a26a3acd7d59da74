/** Guesses of keys: how many are free, which wait, which are refused, and how much is remembered. */
import { expect, test } from "vitest";
import { GatewayError } from "../../../worker/errors.ts";
import { WAIT_MS, WrongKeys } from "../../../worker/wrong-keys.ts";

test("answers ten wrong keys of an address at once, delays ten more and refuses the rest", async () => {
  const wrongKeys = new WrongKeys();
  const waits: { ms: number; end: () => void }[] = [];
  const wait = (ms: number) => new Promise<void>((end) => void waits.push({ ms, end }));
  for (let n = 0; n < 10; n++) await wrongKeys.note("203.0.113.7", 0, wait);
  expect(waits).toEqual([]);
  const slow = Array.from({ length: 10 }, () => wrongKeys.note("203.0.113.7", 0, wait));
  expect(waits.map(({ ms }) => ms)).toEqual(Array.from({ length: 10 }, () => WAIT_MS));
  expect(() => wrongKeys.admit("203.0.113.7")).toThrow(GatewayError);
  expect(() => wrongKeys.admit("203.0.113.8")).not.toThrow();
  for (const { end } of waits) end();
  await Promise.all(slow);
  expect(() => wrongKeys.admit("203.0.113.7")).not.toThrow();
  await wrongKeys.note("203.0.113.7", 60_001, wait); // a minute later, at once again
});

test("remembers at most 10,000 addresses", async () => {
  const wrongKeys = new WrongKeys();
  for (let n = 0; n < 20_000; n++) await wrongKeys.note(`address ${n}`, 0, () => Promise.resolve());
  expect(wrongKeys.size).toBe(10_000);
});
