/** No joule is lost or counted twice, whatever the requests, readings and GPUs do. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { EnergyMeter, GAP_MS } from "../../../../agent/measure/energy.ts";

const END_MS = 20_000;

type Reading = { waitMs: number; watts: number | null; isMean: boolean };

/** A GPU may report no power for a while, fall silent, and come back. */
const reading = fc.record({
  waitMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 250 }) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 2_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: GAP_MS, max: 2 * GAP_MS }) },
  ),
  watts: fc.option(fc.double({ min: 0, max: 700, noNaN: true }), { freq: 30 }),
  isMean: fc.boolean(),
});

const world = fc.record({
  gpus: fc.array(fc.array(reading, { minLength: 1, maxLength: 60 }), {
    minLength: 1,
    maxLength: 3,
  }),
  requests: fc.array(
    fc.record({
      fromMs: fc.integer({ min: 1, max: END_MS }),
      lengthMs: fc.integer({ min: 0, max: 8_000 }),
      gpus: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 2 }), { minLength: 1 })),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

type World = typeof world extends fc.Arbitrary<infer Value> ? Value : never;

/** Runs a world in order of time. Returns the meter and the requests' ids. */
function run({ gpus, requests }: World): { meter: EnergyMeter; ids: string[] } {
  const meter = new EnergyMeter();
  meter.gpusOf = (model) => {
    const held = requests[Number(model)]?.gpus ?? null;
    return held === null ? null : new Set(held);
  };
  const steps = [
    ...gpus.flatMap((readings: Reading[], gpu) => {
      let atMs = 0;
      return readings.map(({ waitMs, watts, isMean }) => {
        atMs += waitMs;
        const at = atMs;
        return { at, run: () => meter.read(gpu, watts, at, isMean ? "mean" : "instant") };
      });
    }),
    ...requests.flatMap(({ fromMs, lengthMs }, n) => [
      { at: fromMs, run: () => meter.begin(`r${n}`, fromMs, String(n)) },
      { at: fromMs + lengthMs, run: () => meter.end(`r${n}`, fromMs + lengthMs) },
    ]),
  ].sort((a, b) => a.at - b.at);
  for (const step of steps) step.run();
  return { meter, ids: requests.map((_, n) => `r${n}`) };
}

test("the shares of requests never exceed the energy of their GPUs, and are finite", () => {
  fc.assert(
    fc.property(world, (made) => {
      const { meter, ids } = run(made);
      meter.settleNow();
      let active = 0;
      for (const total of meter.totals.values()) {
        active += total.active.joules;
        for (const { joules, seconds } of Object.values(total)) {
          expect(Number.isFinite(joules) && joules >= -1e-6).toBe(true);
          expect(seconds).toBeGreaterThanOrEqual(-1e-6);
        }
      }
      const shares = ids.map((id) => meter.energyOf(id)?.joules ?? 0);
      for (const share of shares) expect(share).toBeGreaterThanOrEqual(0);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(
        active + 0.01 * ids.length,
      );
    }),
    { seed: 20261126, numRuns: 300 },
  );
});

/** Instantaneous readings that are never far apart, so that every request is known. */
const steadyWorld = fc.record({
  gpus: fc.array(
    fc.array(
      fc.record({
        waitMs: fc.integer({ min: 1, max: 250 }),
        watts: fc.double({ min: 0, max: 700, noNaN: true }),
      }),
      { minLength: 200, maxLength: 200 },
    ),
    { minLength: 1, maxLength: 3 },
  ),
  requests: fc.array(
    fc.record({
      fromMs: fc.integer({ min: 1, max: 9_000 }),
      lengthMs: fc.integer({ min: 0, max: 4_000 }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

test("requests and idle time together have exactly the integral of the power of all GPUs", () => {
  fc.assert(
    fc.property(steadyWorld, ({ gpus, requests }) => {
      const lists = gpus.map((waits) => {
        let atMs = 0;
        return [
          { atMs: 0, watts: waits[0]?.watts ?? 0 },
          ...waits.map(({ waitMs, watts }) => {
            atMs += waitMs;
            return { atMs, watts };
          }),
          // Until after the last request.
          ...Array.from({ length: 80 }, (_, n) => ({ atMs: atMs + 250 * (n + 1), watts: 50 })),
        ];
      });
      const meter = new EnergyMeter();
      const steps = [
        ...lists.flatMap((list, gpu) =>
          list.map(({ atMs, watts }) => ({ atMs, run: () => meter.read(gpu, watts, atMs) })),
        ),
        ...requests.flatMap(({ fromMs, lengthMs }, n) => [
          { atMs: fromMs, run: () => meter.begin(`r${n}`, fromMs) },
          { atMs: fromMs + lengthMs, run: () => meter.end(`r${n}`, fromMs + lengthMs) },
        ]),
      ].sort((a, b) => a.atMs - b.atMs);
      for (const { run: step } of steps) step();
      let integral = 0;
      for (const list of lists)
        for (const [n, { atMs, watts }] of list.slice(1).entries()) {
          const before = list[n] ?? { atMs: 0, watts: 0 };
          integral += ((before.watts + watts) / 2 / 1_000) * (atMs - before.atMs);
        }
      const totals = [...meter.totals.values()];
      const sumOf = (state: "active" | "idle") =>
        totals.reduce((sum, total) => sum + total[state].joules, 0);
      const shares = requests.reduce(
        (sum, _, n) => sum + (meter.energyOf(`r${n}`)?.joules ?? Number.NaN),
        0,
      );
      expect(Math.abs(sumOf("active") + sumOf("idle") - integral)).toBeLessThan(
        1e-6 * integral + 1e-6,
      );
      expect(Math.abs(shares - sumOf("active"))).toBeLessThan(0.001 * requests.length + 1e-6);
    }),
    { seed: 20261126, numRuns: 100 },
  );
});
