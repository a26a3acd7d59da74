import { expect, test } from "vitest";
import { bounded, MOST, type RequestLimits } from "../../../../worker/aggregator/bounds.ts";
import { recordOf } from "../../../support/records.ts";

const KNOWN: RequestLimits = { ageMs: 60_000, powerLimitW: 700 };
const possible = (rest: Parameters<typeof recordOf>[1], known: Partial<RequestLimits> = {}) =>
  bounded(recordOf(0, rest), { ...KNOWN, ...known });

test("leaves a possible record as it is", () => {
  const record = recordOf(0, { energy_j: 500, latency_ms: 1_250 });
  expect(bounded(record, KNOWN)).toEqual({ record, impossible: [] });
});

test("takes unknown figures for possible", () => {
  const nothing = Object.fromEntries(Object.keys(MOST).map((name) => [name, null]));
  expect(possible(nothing).impossible).toEqual([]);
});

test.each(Object.keys(MOST))("drops a %s that cannot be true", (name) => {
  const { record, impossible } = possible({ [name]: 1e12 });
  expect(record).toEqual(recordOf(0, { [name]: null }));
  expect(impossible).toEqual([name]);
});

test("bounds what cannot be unknown: a latency by the age of the request, and resumes", () => {
  const { record, impossible } = possible({ latency_ms: 1e300, resumed: 4e9 });
  expect(record.latency_ms).toBe(65_000);
  expect(record.resumed).toBeLessThan(5_000);
  expect(impossible).toEqual(["latency_ms", "resumed"]);
});

test.each([
  ["a decode time of a whole answer beyond its latency", { decode_ms: 7_000 }, ["decode_ms"]],
  ["a clock that differs a little", { decode_ms: 1_300 }, []],
  ["Ollama's work for a caller that left", { decode_ms: 50_000, status: "cancelled" as const }, []],
  [
    "work that goes on after the record",
    { decode_ms: 70_000, status: "cancelled" as const },
    ["decode_ms"],
  ],
])("judges %s", (_, rest, impossible) => {
  expect(possible(rest).impossible).toEqual(impossible);
});

test.each([
  ["more than the GPUs can draw", 9_000, 700, ["energy_j"]],
  ["as much as they can draw", 8_000, 700, []],
  ["as much as sixteen large GPUs draw, if the limits are unknown", 200_000, null, []],
  ["more than that", 300_000, null, ["energy_j"]],
  ["more than that, by limits that the box made up", 300_000, 1e9, ["energy_j"]],
])("judges an energy of %s", (_, energy_j, powerLimitW, impossible) => {
  expect(possible({ energy_j }, { powerLimitW }).impossible).toEqual(impossible);
});

test("forgets how an impossible energy was measured", () => {
  const { record } = possible({ energy_j: 1e9, energy_method: "instant" });
  expect(record).toMatchObject({ energy_j: null, energy_method: null });
});

test("allows answers that take no time", () => {
  expect(possible({ latency_ms: 0, decode_ms: 0, completion_tokens: 1_000 }).impossible).toEqual(
    [],
  );
});

test("keeps the record of a request from the future, by a clock that differs", () => {
  expect(possible({ latency_ms: 900 }, { ageMs: -200 }).impossible).toEqual([]);
});
