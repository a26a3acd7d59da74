/** The meter against the counter of a real GPU: see `test/fixtures/h100-power/`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EnergyMeter, MEAN_MS_MIN } from "../../../../agent/measure/energy.ts";
import { LINGER_MS, ROW_AGE_MS } from "../../../../agent/readings/nvidia/power-stream.ts";

const table = (name: string): string[][] =>
  readFileSync(new URL(`../../../fixtures/h100-power/${name}.csv`, import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
const numbers = (name: string): [number, number][] =>
  table(name).map(([a, b]) => [Number(a), Number(b)]);

const MEANS = numbers("mean");
const INSTANT = numbers("instant");
const COUNTER = numbers("counter");
const REQUESTS = table("requests").map(([id = "", fromMs, toMs, joules]) => ({
  id,
  fromMs: Number(fromMs),
  toMs: Number(toMs),
  lengthMs: Number(toMs) - Number(fromMs),
  joules: Number(joules),
}));

/** From the start of nvidia-smi to its first row, by the recording. */
const START_MS = 60;

/** Rows of the fast stream that the agent would have read: from a request on, until it lingered. */
const STREAMED = INSTANT.filter(([atMs]) =>
  REQUESTS.some(({ fromMs, toMs }) => fromMs + START_MS <= atMs && atMs <= toMs + LINGER_MS),
);

type Row = readonly [atMs: number, watts: number, kind: "instant" | "mean"];

function replayed(rows: readonly Row[]): EnergyMeter {
  const meter = new EnergyMeter();
  const events = [
    ...rows.map(([atMs, watts, kind]) => ({
      atMs,
      run: () => meter.read(0, watts, atMs - ROW_AGE_MS, kind),
    })),
    ...REQUESTS.flatMap(({ id, fromMs, toMs }) => [
      { atMs: fromMs, run: () => meter.begin(id, fromMs) },
      { atMs: toMs, run: () => meter.end(id, toMs) },
    ]),
  ].sort((a, b) => a.atMs - b.atMs);
  for (const { run } of events) run();
  meter.settleNow();
  return meter;
}

const means = MEANS.map(([atMs, watts]): Row => [atMs, watts, "mean"]);
const streamed = STREAMED.map(([atMs, watts]): Row => [atMs, watts, "instant"]);

/** Relative errors against the counter of the requests whose energy is known. */
function errorsOf(meter: EnergyMeter): { id: string; lengthMs: number; error: number }[] {
  return REQUESTS.flatMap(({ id, lengthMs, joules }) => {
    const energy = meter.energyOf(id);
    return energy === null ? [] : [{ id, lengthMs, error: energy.joules / joules - 1 }];
  });
}

function sumError(meter: EnergyMeter): number {
  const known = REQUESTS.filter(({ id }) => meter.energyOf(id) !== null);
  const sum = known.reduce((joules, { id }) => joules + (meter.energyOf(id)?.joules ?? 0), 0);
  return sum / known.reduce((joules, request) => joules + request.joules, 0) - 1;
}

test("agrees with the counter of an H100 within 10 % for each request from one second on, and 2 % in sum", () => {
  const meter = replayed([...means, ...streamed]);
  expect(REQUESTS.map(({ id }) => meter.energyOf(id)?.method)).toEqual(
    REQUESTS.map(() => "instant"),
  );
  const errors = errorsOf(meter);
  const long = errors.filter(({ lengthMs }) => lengthMs >= 1_000);
  expect(long.length).toBeGreaterThan(35);
  expect(long.filter(({ error }) => Math.abs(error) > 0.1)).toEqual([]);
  expect(Math.abs(sumError(meter))).toBeLessThan(0.02);
});

test("agrees with the counter from two seconds on if a driver reports only means, and is null below", () => {
  const meter = replayed(means);
  const errors = errorsOf(meter);
  expect(errors.map(({ id }) => id)).toEqual(
    REQUESTS.filter(({ lengthMs }) => lengthMs >= MEAN_MS_MIN).map(({ id }) => id),
  );
  expect(errors.map(({ id }) => meter.energyOf(id)?.method)).toEqual(errors.map(() => "mean"));
  expect(errors.filter(({ error }) => Math.abs(error) > 0.1)).toEqual([]);
  expect(Math.abs(sumError(meter))).toBeLessThan(0.02);
});

test.each([
  { from: "means and the stream", rows: [...means, ...streamed] },
  { from: "means alone", rows: means },
])(
  "agrees with the counter within 1 % over minutes of requests and idle time, from $from",
  ({ rows }) => {
    const total = replayed(rows).totals.get(0);
    if (total === undefined) throw new Error("there is no total");
    const drawn = total.active.joules + total.loaded.joules + total.idle.joules;
    const spentMs = 1_000 * (total.active.seconds + total.loaded.seconds + total.idle.seconds);
    const [firstMs = 0] = MEANS[0] ?? [];
    const counted = (mjAt(firstMs - ROW_AGE_MS + spentMs) - mjAt(firstMs - ROW_AGE_MS)) / 1_000;
    expect(Math.abs(drawn / counted - 1)).toBeLessThan(0.01);
  },
);

/** The counter at a time, between its rows. */
function mjAt(atMs: number): number {
  const next = COUNTER.findIndex(([rowMs]) => rowMs > atMs);
  const [[fromMs, fromMj], [toMs, toMj]] = [COUNTER[next - 1], COUNTER[next]] as [
    [number, number],
    [number, number],
  ];
  return fromMj + ((toMj - fromMj) * (atMs - fromMs)) / (toMs - fromMs);
}
