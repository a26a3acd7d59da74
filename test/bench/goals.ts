/** The goals of the path of a call: each beside the figure that the work began with, and the one of this run. */
import type { Figure } from "./figures.ts";
import { columnsOf } from "./report.ts";

/** A figure of this run, or the reason why the run has none. */
type Source = { id: string; atMost: number } | { missing: string };

type Row = [name: string, before: string, goal: string, source: Source];

const BESIDE_PEERS = { missing: "unknown: this bench runs no gateway with a tunnel" };
const BESIDE_RECORDS = { missing: "not in this run, see docs/benchmarks.md" };

const GOALS: readonly Row[] = [
  [
    "round trips before the first byte, warm / after 2 s idle",
    "2 / 3",
    "1 / 1",
    { missing: "1 / 1, counted by test/workerd/round-trips.test.ts" },
  ],
  ["CPU of a short call / gateway and tunnel", "1.85 x", "0.7 x", BESIDE_PEERS],
  ["calls a second, 64 callers / gateway and tunnel", "0.67 x", "1.5 x", BESIDE_PEERS],
  ["p99 / p50, 64 callers", "19 x", "4 x", { id: "P4.p99", atMost: 4 }],
  ["CPU of a stream at 20 ms / gateway and tunnel", "0.69 x", "0.4 x", BESIDE_PEERS],
  ["64 streams at 1 ms: total / direct", "2.3 x", "1.3 x", { id: "P8", atMost: 1.3 }],
  ["time between parts at 20 ms, 1 stream", "20 ms", "21 ms", { id: "P17", atMost: 21 }],
  ["time between parts at 20 ms, 64 streams", "53 ms", "30 ms", { id: "P17.64", atMost: 30 }],
  [
    "first token of 64 streams, later than direct",
    "70 - 119 ms",
    "25 ms",
    { id: "P18", atMost: 25 },
  ],
  ["first byte beside a rare search / without", "200 x", "1.2 x", BESIDE_RECORDS],
  ["page of 50 logs of 100,000", "150 - 190 ms", "5 ms", BESIDE_RECORDS],
  ["a million requests, 1 at once", "$5.04", "$1.80", { id: "C1", atMost: 1.8 }],
  ["a million requests, 16 at once", "$1.81", "$1.45", { id: "C16", atMost: 1.45 }],
  ["a million requests with a store", "$10.2", "$2.50", { id: "C1.store", atMost: 2.5 }],
  ["a month of an idle box with a scrape", "$0.31", "$0.04", { id: "C.idle", atMost: 0.04 }],
  ["packages of npm start", "739 MB", "450 MB", { id: "S1", atMost: 450 }],
];

/** Every goal has a row, also if this run did not measure it. */
export function goalsTable(figures: readonly Figure[]): string {
  const rows = GOALS.map(([name, before, goal, source]) => [
    name,
    before,
    goal,
    ...gotOf(source, figures),
  ]);
  return columnsOf([["Goals now", "before", "goal", "this run", ""], ...rows]);
}

function gotOf(source: Source, figures: readonly Figure[]): [got: string, mark: string] {
  if ("missing" in source) return [source.missing, ""];
  const figure = figures.find(({ id }) => id === source.id);
  if (figure === undefined) return ["not in this run", ""];
  return [`${figure.value} ${figure.unit}`, figure.value <= source.atMost ? "met" : "MISSED"];
}
