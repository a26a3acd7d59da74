/** The energies of requests against the energy that the GPUs drew, in random worlds. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { EnergyMeter, GAP_MS } from "../../../../agent/measure/energy.ts";

/** Readings of each GPU over 20 s, and the begin and length of requests, ms. */
const world = fc.record({
  gpus: fc.array(
    fc.array(
      fc.record({
        waitMs: fc.integer({ min: 1, max: GAP_MS }),
        watts: fc.double({ min: 0, max: 700, noNaN: true }),
      }),
      {
        minLength: 1,
        maxLength: 12,
      },
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  requests: fc.array(
    fc.record({
      fromMs: fc.integer({ min: 1, max: 20_000 }),
      lengthMs: fc.integer({ min: 0, max: 8_000 }),
    }),
    {
      minLength: 1,
      maxLength: 12,
    },
  ),
});

test("divides exactly the energy drawn while a request was open, however requests and readings overlap", () => {
  fc.assert(
    fc.property(world, ({ gpus, requests }) => {
      const readings = gpus.map((waits) => readingsOf(waits));
      const steps = [
        ...readings.flatMap((list, gpu) =>
          list.map(({ atMs, watts }) => ({
            atMs,
            run: (meter: EnergyMeter) => meter.read(gpu, watts, atMs),
          })),
        ),
        ...requests.flatMap(({ fromMs, lengthMs }, n) => [
          { atMs: fromMs, run: (meter: EnergyMeter) => meter.begin(`r${n}`, fromMs) },
          {
            atMs: fromMs + lengthMs,
            run: (meter: EnergyMeter) => meter.end(`r${n}`, fromMs + lengthMs),
          },
        ]),
      ].sort((a, b) => a.atMs - b.atMs);
      const meter = new EnergyMeter();
      for (const { run } of steps) run(meter);
      let sum = 0;
      for (const n of requests.keys()) sum += meter.joulesOf(`r${n}`) ?? Number.NaN;
      const isBusy = (atMs: number) =>
        requests.some(({ fromMs, lengthMs }) => fromMs <= atMs && atMs < fromMs + lengthMs);
      // Every request begins and ends at a whole millisecond. Within one, only the power changes,
      // linearly.
      let drawn = 0;
      for (let atMs = 0; atMs < END_MS; atMs++)
        if (isBusy(atMs)) for (const list of readings) drawn += wattsIn(list, atMs + 0.5) / 1_000;
      expect(Math.abs(sum - drawn)).toBeLessThan(0.02 + drawn * 1e-9);
    }),
    { seed: 20261124, numRuns: 100 },
  );
});

const END_MS = 28_001;

/** Readings at whole milliseconds from 0 until after the last request. The last power repeats. */
function readingsOf(waits: { waitMs: number; watts: number }[]): { atMs: number; watts: number }[] {
  const list = [{ atMs: 0, watts: waits[0]?.watts ?? 0 }];
  for (let n = 0; (list.at(-1)?.atMs ?? 0) <= END_MS; n++) {
    const { waitMs, watts } = waits[n] ?? { waitMs: GAP_MS, watts: list.at(-1)?.watts ?? 0 };
    list.push({ atMs: (list.at(-1)?.atMs ?? 0) + waitMs, watts });
  }
  return list;
}

function wattsIn(list: { atMs: number; watts: number }[], atMs: number): number {
  const next = list.findIndex((reading) => reading.atMs > atMs);
  const [a, b] = [list[next - 1], list[next]];
  if (a === undefined || b === undefined) return Number.NaN;
  return a.watts + ((b.watts - a.watts) * (atMs - a.atMs)) / (b.atMs - a.atMs);
}
