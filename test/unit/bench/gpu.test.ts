/** The comparison of `npm run bench:gpu`. */
import { expect, test } from "vitest";
import { NO_ENERGY } from "../../../protocol/gpu-energy.ts";
import { sharesOf } from "../../bench/gpu/counter.ts";
import { type Compared, comparedTable, energyLines, recordLines } from "../../bench/gpu/report.ts";

/** A counter of 100 W until 1,000 ms, then 300 W. It moves every 100 ms. */
const COUNTER = Array.from({ length: 31 }, (_, row) => ({
  atMs: row * 100,
  joules: row <= 10 ? row * 10 : 100 + (row - 10) * 30,
}));

const SHARES: [name: string, windows: [fromMs: number, toMs: number][], joules: number[]][] = [
  ["one request", [[500, 2_000]], [50 + 300]],
  ["between two rows", [[1_050, 1_150]], [30]],
  [
    "one after the other",
    [
      [500, 1_000],
      [1_000, 1_500],
    ],
    [50, 150],
  ],
  [
    "one within another",
    [
      [1_000, 2_000],
      [1_200, 1_400],
    ],
    [300 - 30, 30],
  ],
  [
    "three at once",
    [
      [1_000, 1_900],
      [1_000, 1_900],
      [1_000, 1_900],
    ],
    [90, 90, 90],
  ],
  [
    "apart",
    [
      [100, 500],
      [1_500, 1_600],
    ],
    [40, 30],
  ],
];

test.each(SHARES)("divides what the counter counted: %s", (_name, windows, joules) => {
  const shares = sharesOf(
    COUNTER,
    windows.map(([fromMs, toMs]) => ({ fromMs, toMs })),
  );
  expect(shares.map((share) => Math.round(share * 1e6) / 1e6)).toEqual(joules);
});

test("fails for a request that the counter did not see whole", () => {
  expect(() => sharesOf(COUNTER, [{ fromMs: 2_500, toMs: 3_500 }])).toThrow("no rows");
});

const compared = (seconds: number, recorded_j: number | null, more: Partial<Compared> = {}) => ({
  name: "alone",
  from_ms: 0,
  to_ms: 1_000 * seconds,
  waited_ms: 0,
  counted_j: 1_000,
  recorded_j,
  method: recorded_j === null ? null : "instant",
  tokens_differ: false,
  phases_off_ms: 0,
  first_later_ms: 2,
  ...more,
});

const INTEGRAL = {
  counted_j: 1_000,
  seconds: 10,
  metered: {
    ...NO_ENERGY,
    active: { joules: 500, seconds: 3 },
    loaded: { joules: 400, seconds: 5 },
  },
};

test("counts requests within 10 % of the counter, and fills the seconds between two readings", () => {
  const requests = [compared(2, 1_010), compared(2, 880), compared(0.5, 2_000), compared(5, null)];
  expect(energyLines(requests, INTEGRAL)).toEqual([
    "requests of 1 s and more: 1 of 3 within 10 % of the counter, mean 6.5 %, worst -12.0 %",
    "sum of 3 requests: +29.7 % (1 unknown)",
    // 900 J in 8 of 10 seconds, and 2 s of 80 W.
    "requests and idle: +6.0 % of 1000 J in 10 s",
  ]);
});

test("reports what is unknown as unknown", () => {
  const requests = [compared(2, null, { phases_off_ms: Number.NaN, first_later_ms: Number.NaN })];
  expect(energyLines(requests, { ...INTEGRAL, metered: NO_ENERGY })).toEqual([
    "requests of 1 s and more: 0 of 1 within 10 % of the counter",
    "sum of 0 requests: unknown (1 unknown)",
    "requests and idle: unknown of 1000 J in 10 s",
  ]);
  expect(recordLines(requests)).toEqual([
    "tokens: 0 of 1 records differ from Ollama's answer",
    "prefill and decode: at most 0.000 ms from Ollama's durations (1 unknown)",
    "time to first token: unknown",
  ]);
  expect(comparedTable(requests).split("\n")[1]).toBe("alone       2.0 s       1000 J      null");
});
