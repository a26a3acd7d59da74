import { expect, test } from "vitest";
import type { Readings } from "../../../../../protocol/inventory.ts";
import {
  type Bypassed,
  bypassedNext,
  withoutRequest,
} from "../../../../../worker/answers/damage/bypass.ts";
import { gpuOf, readingsOf } from "../../../../support/records.ts";

const START = Date.parse("2026-11-24T12:00:00Z");
const EVERY_MS = 30_000;

type Step = {
  busy?: (number | null)[];
  inFlight?: number;
  /** A request ended this long before the readings. */
  endedAgoMs?: number;
  expiresInMs?: number;
};

/** Lets a box send readings every 30 s, each with samples of its GPUs, and returns what is known at the end. */
function after(steps: readonly Step[]): Bypassed[] {
  let before: Readings | null = null;
  let known: Bypassed[] = [];
  let endedMs = 0;
  for (const [i, { busy = [90], inFlight = 0, endedAgoMs, expiresInMs }] of steps.entries()) {
    const nowMs = START + i * EVERY_MS;
    if (endedAgoMs !== undefined) endedMs = nowMs - endedAgoMs;
    const samples = busy.map((utilization_percent, index) =>
      gpuOf("atlas", nowMs, { index, utilization_percent }),
    );
    const readings = { ...readingsOf(nowMs, [], samples, ["llama3.2"]), in_flight: inFlight };
    for (const model of readings.inventory.loaded)
      model.expires_at = new Date((expiresInMs ?? 0) + START + 300_000).toISOString();
    known = bypassedNext(known, "atlas", before, readings, endedMs);
    before = readings;
  }
  return known;
}

test("a GPU that is busy while nothing is in flight counts from its first such reading", () => {
  expect(after([{}, {}, { busy: [80] }])).toEqual([
    {
      box: "atlas",
      gpu: 0,
      since_ms: START + EVERY_MS,
      last_ms: START + 2 * EVERY_MS,
      quiet_ms: EVERY_MS,
      utilization_percent: 85,
      samples: 2,
      model: null,
    },
  ]);
});

test("each GPU counts for itself", () => {
  expect(after([{}, { busy: [5, 60] }]).map(({ gpu }) => gpu)).toEqual([1]);
});

test("the model whose time in memory was extended is named, also later", () => {
  const steps = [{}, {}, { expiresInMs: 60_000 }, { expiresInMs: 60_000 }];
  expect(after(steps).map(({ model }) => model)).toEqual(["llama3.2:latest"]);
});

test("requests hide a bypass, and the time in which they ran does not count", () => {
  const quiet = (steps: Step[]) => after(steps).map(({ quiet_ms }) => quiet_ms / EVERY_MS);
  expect(quiet([{}, {}, {}, { inFlight: 1 }])).toEqual([1]);
  expect(quiet([{}, {}, {}, { inFlight: 1 }, { endedAgoMs: 20_000 }, {}, {}])).toEqual([2]);
  // It came and went between two readings, and its GPU may still be busy.
  expect(quiet([{}, {}, {}, { endedAgoMs: 1_000 }])).toEqual([1]);
  expect(quiet([{}, {}, {}, { endedAgoMs: 20_000 }, {}])).toEqual([2]);
});

test("a request extends the time of its model, which is then called by nobody else", () => {
  const [bypassed] = after([{}, {}, { endedAgoMs: 1_000, expiresInMs: 60_000 }]);
  expect(bypassed?.model).toBeNull();
});

test("a record that comes after the readings of its time ends what they seemed to show", () => {
  const known = after([{}, {}, {}]);
  const [from, to] = [START + EVERY_MS, START + 2 * EVERY_MS];
  expect(withoutRequest(known, from - 60_000, from + 1_000)).toEqual([]);
  expect(withoutRequest(known, to - 1_000, to + 5_000)).toEqual([]);
  expect(withoutRequest(known, from - 60_000, from - 5_000)).toEqual(known);
  expect(withoutRequest(known, to + 1_000, to + 5_000)).toEqual(known);
});

const CALM: [name: string, steps: Step[]][] = [
  ["before a second reading", [{}]],
  ["with an open request", [{}, { inFlight: 1 }]],
  ["after an open request", [{}, { inFlight: 1 }, {}]],
  ["by the last second of a request", [{}, { endedAgoMs: 1_000 }]],
  ["with an idle GPU", [{ busy: [0] }, { busy: [0] }]],
  ["with a GPU that shows a desktop", [{ busy: [8] }, { busy: [12] }]],
  ["with a GPU of unknown use", [{ busy: [null] }, { busy: [null] }]],
  ["that became idle again", [{}, {}, { busy: [3] }]],
];

test.each(CALM)("no GPU is bypassed %s", (_name, steps) => {
  expect(after(steps)).toEqual([]);
});
