import { expect, test } from "vitest";
import { Duties } from "../../../../worker/aggregator/duties.ts";

const MINUTE_MS = 60_000;
const NOW = 1_000_000;

/** Two duties, whose due times a test sets. */
function twoDuties() {
  const due: { house: number | null; export: number | null } = { house: null, export: null };
  const duties = new Duties({ house: () => due.house, export: () => due.export });
  return { due, duties };
}

test("a duty is due from its time on, whatever is due beside it", () => {
  const { due, duties } = twoDuties();
  due.house = NOW;
  due.export = NOW + 1;
  expect([duties.isDue("house", NOW - 1), duties.isDue("house", NOW)]).toEqual([false, true]);
  expect(duties.isDue("export", NOW)).toBe(false);
});

test("a duty without anything to do is never due", () => {
  const { duties } = twoDuties();
  expect(duties.isDue("house", Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("the next time is the earliest of the duties that have something to do", () => {
  const { due, duties } = twoDuties();
  expect(duties.nextMs(["house", "export"])).toBeNull();
  due.export = NOW + 5;
  expect(duties.nextMs(["house", "export"])).toBe(NOW + 5);
  due.house = NOW + 2;
  expect(duties.nextMs(["house", "export"])).toBe(NOW + 2);
  expect(duties.nextMs(["export"])).toBe(NOW + 5);
});

test("a duty that fails waits longer each time, and no other one waits with it", () => {
  const { due, duties } = twoDuties();
  due.house = NOW;
  due.export = NOW;
  const pauses = Array.from({ length: 8 }, () => {
    duties.failed("house", NOW);
    return ((duties.nextMs(["house"]) ?? 0) - NOW) / MINUTE_MS;
  });
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  expect([duties.isDue("house", NOW), duties.isDue("export", NOW)]).toEqual([false, true]);
});

test("a duty that succeeds again waits no longer than others", () => {
  const { due, duties } = twoDuties();
  due.house = NOW;
  duties.failed("house", NOW);
  duties.succeeded("house");
  expect(duties.nextMs(["house"])).toBe(NOW);
  duties.failed("house", NOW);
  expect(duties.nextMs(["house"])).toBe(NOW + MINUTE_MS);
});
