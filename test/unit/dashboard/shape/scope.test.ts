import { expect, test } from "vitest";
import { hashOf, routeOf } from "../../../../dashboard/shape/route.ts";
import {
  brushed,
  EVERYTHING,
  isLive,
  nextComparison,
  type PageScope,
  paused,
  periodCompared,
  periodOf,
  rangeOf,
  scopeOf,
  scopeQuery,
  secondsOf,
} from "../../../../dashboard/shape/scope.ts";

const NOW = Date.parse("2026-11-27T15:17:00Z");
const HOUR_MS = 3_600_000;

test.each<[name: string, scope: Partial<PageScope>]>([
  ["everything", {}],
  ["a box, a model and a key", { box: "atlas", model: "hf.co/a/b:Q4_K_M", key: "key & co" }],
  ["a length up to the present", { seconds: 5_400 }],
  ["a paused length", { seconds: 900, untilMs: NOW }],
  ["a fixed period, compared", { fromMs: NOW - 480_000, untilMs: NOW, compare: "previous" }],
  ["compared with a week before", { seconds: 3_600, compare: "week" }],
  ["since a time", { fromMs: NOW - 1 }],
])("reads back from a link what was written to it: %s", (_, changes) => {
  const scope = { ...EVERYTHING, ...changes };
  const { query } = routeOf(hashOf("requests", scopeQuery(scope)));
  expect(scopeOf(query)).toEqual(scope);
});

test.each<[query: Record<string, string>, scope: Partial<PageScope>]>([
  [{ range: "yesterday", from: "noon", until: "", box: "", compare: "yes" }, {}],
  [{ range: "0m" }, {}],
  [{ range: "99999999w" }, {}],
  [{ range: "-1h" }, {}],
  [{ range: "1h", from: "1970-01-01", until: "+275760-09-13T00:00:00Z" }, { seconds: 3_600 }],
  [{ from: "2026-11-27T15:17:00Z", until: "2026-11-27T15:17:00Z" }, { untilMs: NOW }],
  [
    { from: "2026-11-27T15:17:00Z", until: "2026-11-27T14:17:00Z" },
    { fromMs: NOW - HOUR_MS, untilMs: NOW },
  ],
  [{ period: "24h" }, { seconds: 86_400 }],
  [{ range: "1h", from: "2026-11-27T15:17:00Z" }, { fromMs: NOW }],
])("tolerates a URL such as %j", (query, scope) =>
  expect(scopeOf(query)).toEqual({ ...EVERYTHING, ...scope }),
);

test("reads times that carry no zone in the zone of the viewer", () => {
  expect(scopeOf({ from: "2026-11-27T10:00" }).fromMs).toBe(Date.parse("2026-11-27T10:00"));
});

test.each([
  ["90m", 5_400, "90m"],
  ["120m", 7_200, "2h"],
  ["48h", 172_800, "2d"],
  ["1w", 604_800, "7d"],
  ["45s", 45, "45s"],
])("reads the length %s as %i s and writes it as %s", (range, seconds, written) => {
  expect(secondsOf(range)).toBe(seconds);
  expect(rangeOf(seconds)).toBe(written);
});

test.each<[time: Partial<PageScope>, from: number, until: number]>([
  [{}, NOW - 900_000, NOW],
  [{ seconds: 60 }, NOW - 60_000, NOW],
  [{ seconds: 60, untilMs: NOW - HOUR_MS }, NOW - HOUR_MS - 60_000, NOW - HOUR_MS],
  [{ fromMs: NOW - 7 }, NOW - 7, NOW],
  [{ fromMs: NOW - 9, untilMs: NOW - 2 }, NOW - 9, NOW - 2],
  // A link may have been made by somebody whose clock is ahead.
  [{ fromMs: NOW + 5 }, NOW - 900_000, NOW],
])("covers the period of %j", (time, fromMs, untilMs) => {
  const period = periodOf({ ...EVERYTHING, ...time }, NOW, 900);
  expect(period).toEqual({ fromMs, untilMs });
  expect(periodCompared(period, "previous")).toEqual({
    fromMs: 2 * fromMs - untilMs,
    untilMs: fromMs,
  });
  const weekMs = 7 * 24 * HOUR_MS;
  expect(periodCompared(period, "week")).toEqual({
    fromMs: fromMs - weekMs,
    untilMs: untilMs - weekMs,
  });
});

test("switches from no comparison to the previous period, to a week before, and back", () => {
  expect([null, "previous" as const, "week" as const].map(nextComparison)).toEqual([
    "previous",
    "week",
    null,
  ]);
});

test("holds still at the time of pausing, and follows the present again with the same length", () => {
  const live = { seconds: 900, fromMs: null, untilMs: null };
  const still = paused(live, NOW);
  expect([isLive(live), isLive(still), still.untilMs]).toEqual([true, false, NOW]);
  expect(periodOf(still, NOW + HOUR_MS, 60)).toEqual({ fromMs: NOW - 900_000, untilMs: NOW });
  expect(paused(still, NOW + HOUR_MS)).toEqual(live);
  expect(paused(brushed(NOW, NOW - 480_000), NOW)).toEqual({ ...live, seconds: 480 });
});

test("selects whole seconds that contain both ends of a brush", () => {
  expect(brushed(NOW + 1_700, NOW - 100)).toEqual({
    seconds: null,
    fromMs: NOW - 1_000,
    untilMs: NOW + 2_000,
  });
  expect(brushed(NOW, NOW).untilMs).toBe(NOW + 1_000);
});
