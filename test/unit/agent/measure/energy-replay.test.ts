/** The meter against the counters of real GPUs: see `test/fixtures/h100-power/` and `h200-power/`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EnergyMeter, MEAN_MS_MIN } from "../../../../agent/measure/energy.ts";
import { LINGER_MS, ROW_AGE_MS } from "../../../../agent/readings/nvidia/power-stream.ts";

type Recorded = {
  card: string;
  means: Row[];
  instant: Row[];
  /** Millijoules at a time. */
  counter: [atMs: number, mj: number][];
  requests: { id: string; fromMs: number; toMs: number; lengthMs: number; joules: number }[];
};

function recordedOn(card: string): Recorded {
  const table = (name: string): string[][] =>
    readFileSync(new URL(`../../../fixtures/${card}-power/${name}.csv`, import.meta.url), "utf8")
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.split(","));
  const numbers = (name: string) =>
    table(name).map(([a, b]): [number, number] => [Number(a), Number(b)]);
  const requests = table("requests").map(([id = "", fromMs, toMs, joules]) => ({
    id,
    fromMs: Number(fromMs),
    toMs: Number(toMs),
    lengthMs: Number(toMs) - Number(fromMs),
    joules: Number(joules),
  }));
  const isStreamed = (rowMs: number) =>
    requests.some(({ fromMs, toMs }) => fromMs + START_MS <= rowMs && rowMs <= toMs + LINGER_MS);
  return {
    card,
    means: numbers("mean").map(([atMs, watts]): Row => [atMs, watts, "mean"]),
    // Rows of the fast stream that the agent would have read: from a request on, until it lingered.
    instant: numbers("instant")
      .filter(([atMs]) => isStreamed(atMs))
      .map(([atMs, watts]): Row => [atMs, watts, "instant"]),
    counter: numbers("counter"),
    requests,
  };
}

/** From the start of nvidia-smi to its first row, by the recording. */
const START_MS = 60;

type Row = readonly [atMs: number, watts: number, kind: "instant" | "mean"];

const CARDS = [recordedOn("h100"), recordedOn("h200")];

function replayed({ requests }: Recorded, rows: readonly Row[]): EnergyMeter {
  const meter = new EnergyMeter();
  const events = [
    ...rows.map(([atMs, watts, kind]) => ({
      atMs,
      run: () => meter.read(0, watts, atMs - ROW_AGE_MS, kind),
    })),
    ...requests.flatMap(({ id, fromMs, toMs }) => [
      { atMs: fromMs, run: () => meter.begin(id, fromMs) },
      { atMs: toMs, run: () => meter.end(id, toMs) },
    ]),
  ].sort((a, b) => a.atMs - b.atMs);
  for (const { run } of events) run();
  meter.settleNow();
  return meter;
}

/** Relative errors against the counter of the requests whose energy is known. */
function errorsOf(
  { requests }: Recorded,
  meter: EnergyMeter,
): { id: string; lengthMs: number; error: number }[] {
  return requests.flatMap(({ id, lengthMs, joules }) => {
    const energy = meter.energyOf(id);
    return energy === null ? [] : [{ id, lengthMs, error: energy.joules / joules - 1 }];
  });
}

function sumError({ requests }: Recorded, meter: EnergyMeter): number {
  const known = requests.filter(({ id }) => meter.energyOf(id) !== null);
  const sum = known.reduce((joules, { id }) => joules + (meter.energyOf(id)?.joules ?? 0), 0);
  return sum / known.reduce((joules, request) => joules + request.joules, 0) - 1;
}

test.each(CARDS)(
  "agrees with the counter of an $card within 10 % for each request from one second on, and 2 % in sum",
  (recorded) => {
    const { requests, means, instant } = recorded;
    const meter = replayed(recorded, [...means, ...instant]);
    expect(requests.map(({ id }) => meter.energyOf(id)?.method)).toEqual(
      requests.map(() => "instant"),
    );
    const errors = errorsOf(recorded, meter);
    const long = errors.filter(({ lengthMs }) => lengthMs >= 1_000);
    expect(long.length).toBeGreaterThanOrEqual(30);
    expect(long.filter(({ error }) => Math.abs(error) > 0.1)).toEqual([]);
    expect(Math.abs(sumError(recorded, meter))).toBeLessThan(0.02);
  },
);

test.each(CARDS)(
  "agrees with the counter of an $card from two seconds on if a driver reports only means, and is null below",
  (recorded) => {
    const meter = replayed(recorded, recorded.means);
    const errors = errorsOf(recorded, meter);
    expect(errors.map(({ id }) => id)).toEqual(
      recorded.requests.filter(({ lengthMs }) => lengthMs >= MEAN_MS_MIN).map(({ id }) => id),
    );
    expect(errors.map(({ id }) => meter.energyOf(id)?.method)).toEqual(errors.map(() => "mean"));
    expect(errors.filter(({ error }) => Math.abs(error) > 0.1)).toEqual([]);
    expect(Math.abs(sumError(recorded, meter))).toBeLessThan(0.02);
  },
);

const WHOLE = CARDS.flatMap((recorded) => [
  {
    recorded,
    card: recorded.card,
    from: "means and the stream",
    rows: [...recorded.means, ...recorded.instant],
  },
  { recorded, card: recorded.card, from: "means alone", rows: recorded.means },
]);

test.each(WHOLE)(
  "agrees with the counter of an $card within 1 % over minutes of requests and idle time, from $from",
  ({ recorded, rows }) => {
    const total = replayed(recorded, rows).totals.get(0);
    if (total === undefined) throw new Error("there is no total");
    const drawn = total.active.joules + total.loaded.joules + total.idle.joules;
    const spentMs = 1_000 * (total.active.seconds + total.loaded.seconds + total.idle.seconds);
    const [firstMs = 0] = recorded.means[0] ?? [];
    const startMs = firstMs - ROW_AGE_MS;
    const counted = (mjAt(recorded, startMs + spentMs) - mjAt(recorded, startMs)) / 1_000;
    expect(Math.abs(drawn / counted - 1)).toBeLessThan(0.01);
  },
);

/** The counter at a time, between its rows. */
function mjAt({ counter }: Recorded, atMs: number): number {
  const next = counter.findIndex(([rowMs]) => rowMs > atMs);
  const [[fromMs, fromMj], [toMs, toMj]] = [counter[next - 1], counter[next]] as [
    [number, number],
    [number, number],
  ];
  return fromMj + ((toMj - fromMj) * (atMs - fromMs)) / (toMs - fromMs);
}
