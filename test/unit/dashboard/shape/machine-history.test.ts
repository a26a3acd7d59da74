import { expect, test } from "vitest";
import {
  bucketAt,
  bucketsOf,
  cutOf,
  EDGE_RANGES,
  HISTORY_RANGES,
  historyRows,
  historySpan,
} from "../../../../dashboard/shape/machine-history.ts";
import { EVERYTHING } from "../../../../dashboard/shape/scope.ts";

const NOW_MS = Date.parse("2026-11-20T12:00:00Z");
const HOUR = 3_600;
const MINUTE_MS = 60_000;

test.each([
  ["the usual length", {}, "1h", true, false],
  ["a preset", { seconds: 6 * HOUR }, "6h", true, false],
  ["a length between presets", { seconds: 90 * 60 }, "6h", false, false],
  ["longer than samples are kept", { seconds: 7 * 24 * HOUR }, "24h", true, true],
  [
    "paused ten minutes ago",
    { seconds: 900, untilMs: NOW_MS - 10 * MINUTE_MS },
    "1h",
    false,
    false,
  ],
  [
    "selected on a chart",
    { fromMs: NOW_MS - 20 * HOUR * 1_000, untilMs: NOW_MS - 19 * HOUR * 1_000 },
    "24h",
    false,
    false,
  ],
])(
  "reads the shortest range that contains the time to show: %s",
  (_, time, range, isWhole, isCut) => {
    const span = historySpan({ ...EVERYTHING, ...time }, EDGE_RANGES, HOUR, NOW_MS);
    expect(span).toMatchObject({ range, isWhole, isCut });
  },
);

test("reads a week from an external store", () => {
  const week = { ...EVERYTHING, seconds: 7 * 24 * HOUR };
  expect(historySpan(week, HISTORY_RANGES, HOUR, NOW_MS)).toMatchObject({
    range: "7d",
    isCut: false,
  });
});

const MINUTES = Array.from({ length: 60 }, (_, n) => NOW_MS / 1_000 - HOUR + 60 * n);
const spanOfMinutes = (from: number, until: number) =>
  historySpan(
    {
      ...EVERYTHING,
      fromMs: NOW_MS - HOUR * 1_000 + from * MINUTE_MS,
      untilMs: NOW_MS - HOUR * 1_000 + until * MINUTE_MS,
    },
    EDGE_RANGES,
    HOUR,
    NOW_MS,
  );

test("draws the buckets of a selected time, and only the last of all is unfinished", () => {
  expect(cutOf(MINUTES, spanOfMinutes(10, 20), NOW_MS)).toEqual({
    from: 10,
    until: 20,
    isUnfinished: false,
  });
  expect(cutOf(MINUTES, spanOfMinutes(50, 60), NOW_MS)).toEqual({
    from: 50,
    until: 60,
    isUnfinished: true,
  });
  // A bucket that lies partly in it belongs to it.
  expect(cutOf(MINUTES, spanOfMinutes(10.5, 11.5), NOW_MS)).toMatchObject({ from: 10, until: 12 });
  expect(cutOf([], spanOfMinutes(0, 1), NOW_MS)).toMatchObject({ from: 0, until: 0 });
});

test("draws nothing of a time from which no sample is kept", () => {
  const { from, until, isUnfinished } = cutOf(MINUTES, spanOfMinutes(-30, -20), NOW_MS);
  expect([until - from, isUnfinished]).toEqual([0, false]);
});

test("finds the bucket of a moment that another chart is pointed at", () => {
  const buckets = bucketsOf(MINUTES, { from: 10, until: 20, isUnfinished: false });
  const first = MINUTES[10] ?? 0;
  expect(
    [first, first + 59, first + 60, first + 600, first - 1, null].map((moment) =>
      bucketAt(buckets, moment),
    ),
  ).toEqual([0, 0, 1, null, null, null]);
});

test("lists the figures of all charts, a measured 0 apart from the unknown", () => {
  const buckets = { at: [60, 120, 180], stepSeconds: 60, isUnfinished: false };
  const later = { ...buckets, at: [120, 180, 240] };
  const line = (name: string, values: (number | null)[]) => ({
    name,
    values,
    colour: "one" as const,
  });
  const format = (value: number) => `${value} W`;
  const { heads, rows } = historyRows([
    {
      title: "Power",
      buckets,
      format,
      lines: [line("atlas", [0, null, null]), line("borealis", [1, 2, null])],
    },
    { title: "CPU", buckets: later, format: String, lines: [line("CPU", [7, null, 9])] },
  ]);
  expect(heads).toEqual(["Power, atlas", "Power, borealis", "CPU"]);
  expect(rows.map(({ at, cells }) => [at, ...cells])).toEqual([
    [60, "0 W", "1 W", null],
    [120, null, "2 W", "7"],
    [240, null, null, "9"],
  ]);
});
