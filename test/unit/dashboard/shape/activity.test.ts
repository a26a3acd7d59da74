import { expect, test } from "vitest";
import {
  activityQuery,
  alignedPoints,
  figureCards,
  queryBefore,
} from "../../../../dashboard/shape/activity.ts";
import { EVERYTHING } from "../../../../dashboard/shape/scope.ts";
import type { Activity, ActivityFigures } from "../../../../protocol/api/activity.ts";

const NOW = Date.parse("2026-11-27T15:00:00Z");
const FIGURES = {
  requests: 10,
  requests_per_minute: 20,
  tokens_per_second: 0,
  ttft_p95_ms: null,
  latency_p95_ms: 1_850,
  error_rate: 0.1,
  energy_j_per_1k_tokens: 1_728,
} as ActivityFigures;
const activity = {
  total: FIGURES,
  step_seconds: 60,
  since: null,
  points: [
    { timestamp: "2020-01-01T00:00:00Z", ...FIGURES },
    { timestamp: new Date(Date.now() + 60_000).toISOString(), ...FIGURES },
  ],
} as unknown as Activity;

test("requests the period of the scope, and the one of the same length before", () => {
  const scope = { ...EVERYTHING, box: "atlas", seconds: 900 };
  expect(activityQuery(scope, 3_600)).toMatchObject({ seconds: 900, box: "atlas" });
  expect(activityQuery(EVERYTHING, 3_600)).toMatchObject({ seconds: 3_600 });
  const fixed = { ...EVERYTHING, fromMs: NOW - 60_000, untilMs: NOW };
  expect(activityQuery(fixed, 3_600)).toMatchObject({
    since: "2026-11-27T14:59:00.000Z",
    until: "2026-11-27T15:00:00.000Z",
  });
  expect(queryBefore(scope, 3_600, NOW)).toMatchObject({
    since: "2026-11-27T14:30:00.000Z",
    until: "2026-11-27T14:45:00.000Z",
    box: "atlas",
  });
  expect(queryBefore({ ...scope, compare: "week" }, 3_600, NOW)).toMatchObject({
    since: "2026-11-20T14:45:00.000Z",
    until: "2026-11-20T15:00:00.000Z",
  });
});

test("compares each figure with the period before, and shows no delta of the unknown", () => {
  const total = { ...FIGURES, requests_per_minute: 16, latency_p95_ms: 1_950, error_rate: 0.077 };
  const before = { ...activity, total };
  const cards = figureCards(activity, before);
  expect(cards.map(({ value, delta }) => [value, delta])).toEqual([
    ["20 /min", "+25\u202f%"],
    ["0\u202ftok/s", null],
    ["–", null],
    ["1.85\u202fs", "−5\u202f%"],
    ["10\u202f%", "+2.3\u202fpt"],
    ["480\u202fmWh", "±0\u202f%"],
  ]);
  expect(cards.filter(({ isWorse }) => isWorse).map(({ name }) => name)).toEqual(["Errors"]);
  expect(figureCards(activity, null).every(({ delta }) => delta === null)).toBe(true);
});

test("ends the course of a figure at the last whole bucket", () => {
  expect(figureCards(activity, null)[0]?.values).toEqual([20]);
});

test("leaves the time before counting began unknown, and draws a later 0", () => {
  const point = (timestamp: string, requests: number) =>
    ({ ...FIGURES, timestamp, requests, requests_per_minute: requests }) as never;
  const young = {
    ...activity,
    since: "2020-01-01T00:01:30Z",
    points: [
      point("2020-01-01T00:00:00Z", 0),
      point("2020-01-01T00:01:00Z", 0),
      point("2020-01-01T00:02:00Z", 0),
      point("2020-01-01T00:03:00Z", 7),
    ],
  };
  expect(figureCards(young, null)[0]?.values).toEqual([null, null, 0, 7]);
});

test("draws the bucket of the other period that corresponds to each one, and no unknown one", () => {
  const point = (timestamp: string, requests: number) =>
    ({ ...FIGURES, timestamp, requests, requests_per_minute: requests }) as never;
  const now = {
    ...activity,
    points: [1, 2, 3].map((hour) => point(`2020-01-01T0${hour}:00:00Z`, hour)),
  };
  const before = {
    ...activity,
    since: "2019-12-25T01:30:00Z",
    points: [0, 0, 5].map((requests, n) => point(`2019-12-25T0${n + 1}:00:00Z`, requests)),
  };
  expect(figureCards(now, before, true)[0]).toMatchObject({
    values: [1, 2, 3],
    compared: [null, 0, 5],
  });
  expect(figureCards(now, before)[0]?.compared).toEqual([]);
  const coarser = { ...before, step_seconds: 300 };
  expect(alignedPoints(now, coarser)).toEqual([null, null, null]);
});
