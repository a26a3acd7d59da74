import fc from "fast-check";
import { expect, test } from "vitest";
import { addEnergy, type GpuEnergy, NO_ENERGY } from "../../../../protocol/gpu-energy.ts";
import { countedWith, growthOf } from "../../../../worker/aggregator/gpu-totals.ts";
import type { CountedGpu } from "../../../../worker/registered-box.ts";

const [A, B] = ["0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"];
const energy = (active: number, idle = 0): GpuEnergy => ({
  ...NO_ENERGY,
  active: { joules: active, seconds: active / 100 },
  idle: { joules: idle, seconds: idle / 10 },
});
const metered = (meter_id: string, total: GpuEnergy, uuid: string | null = "GPU-1", index = 0) => ({
  meter_id,
  gpus: [{ index, uuid, name: "L40S", energy: total }],
});
const joulesOf = (gpus: readonly CountedGpu[]) =>
  gpus.map(({ total }) => [total.active.joules, total.idle.joules]);

test("adds what a meter has grown by, and everything of a new meter", () => {
  let gpus = countedWith([], metered(A, energy(100, 10)));
  gpus = countedWith(gpus, metered(A, energy(150, 10)));
  gpus = countedWith(gpus, null);
  expect(joulesOf(gpus)).toEqual([[150, 10]]);
  gpus = countedWith(gpus, metered(B, energy(5, 1)));
  expect(joulesOf(gpus)).toEqual([[155, 11]]);
});

test("follows a GPU to another index, and keeps GPUs apart", () => {
  let gpus = countedWith([], metered(A, energy(100), "GPU-1", 0));
  gpus = countedWith(gpus, metered(A, energy(110), "GPU-1", 1));
  gpus = countedWith(gpus, metered(A, energy(7), null, 0));
  expect(joulesOf(gpus)).toEqual([
    [110, 0],
    [7, 0],
  ]);
});

test("a report of more than any GPU draws cannot overflow a sum, and is bounded once", () => {
  const absurd = energy(Number.MAX_VALUE);
  let gpus = countedWith([], metered(A, absurd));
  const [first] = gpus;
  expect(first?.total.active.joules).toBe(1e15);
  expect(first?.total.active.seconds).toBe(4e7);
  for (let n = 0; n < 3; n++) gpus = countedWith(gpus, metered(A, absurd));
  expect(gpus).toEqual([first]);
  gpus = countedWith(gpus, metered(B, absurd));
  expect(JSON.parse(JSON.stringify(gpus))).toEqual(gpus);
  expect(growthOf([], gpus, 0).energy.active.joules).toBe(2e15);
});

test("counts each joule once, whichever readings are lost, late or doubled", () => {
  const starts = fc.array(
    fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 8 }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(starts, fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (runs, choices) => {
      let gpus: CountedGpu[] = [];
      let drawn = 0;
      for (const [run, growths] of runs.entries()) {
        const id = A.slice(0, -1) + String(run);
        let total = NO_ENERGY;
        let before = total;
        for (const [n, joules] of growths.entries()) {
          before = total;
          total = addEnergy(total, { active: { joules, seconds: 1 } });
          const choice = choices.next().value ?? 0;
          const isLost = choice === 1 && n < growths.length - 1;
          if (!isLost) gpus = countedWith(gpus, metered(id, total));
          if (choice === 2) gpus = countedWith(gpus, metered(id, total));
          if (choice === 3) gpus = countedWith(gpus, metered(id, before));
        }
        drawn += total.active.joules;
      }
      expect(gpus[0]?.total.active.joules).toBe(drawn);
    }),
    { seed: 20261126, numRuns: 200 },
  );
});
