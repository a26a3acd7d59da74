/** The energy of a GPU is the same in every place that shows it. */
import { expect, test } from "vitest";
import { Boxes } from "../../protocol/api/fleet.ts";
import { gpuOf, readingsOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const SLOT_MS = 10_000;

test("shows the same joules of the same hour in the API, the metrics and both histories", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const from = Math.floor(now / SLOT_MS) * SLOT_MS - 360 * SLOT_MS;
  const meter_id = crypto.randomUUID();
  let active = 0;
  let idle = 0;
  // An hour of readings, five minutes at a time, of which some are lost on their way.
  for (let batch = 0; batch < 12; batch++) {
    const history = Array.from({ length: 30 }, (_, n) => {
      const energy_j = n % 3 === 0 ? 6_000 : 1_215;
      if (n % 3 === 0) active += energy_j;
      else idle += energy_j;
      return gpuOf("atlas", from + (30 * batch + n) * SLOT_MS, { energy_j });
    });
    const energy = {
      active: { joules: active, seconds: 100 * (batch + 1) },
      loaded: { joules: idle, seconds: 200 * (batch + 1) },
      idle: { joules: 0, seconds: 0 },
    };
    const gpus = [{ index: 0, uuid: "GPU-1", name: "H100", energy }];
    const readings = readingsOf(now, [], [gpuOf("atlas", now)]);
    await aggregator.read("atlas", {
      ...readings,
      now_ms: now,
      gpu: { ...readings.gpu, history },
      gpu_energy: batch % 5 === 2 ? null : { meter_id, gpus },
    });
  }
  const hour = active + idle;
  const { boxes } = Boxes.parse(await aggregator.boxes());
  const total = boxes[0]?.energy;
  expect(total?.active.joules).toBe(active);
  expect((total?.active.joules ?? 0) + (total?.loaded.joules ?? 0)).toBe(hour);
  const text = await aggregator.exposition(false);
  const shown = [...text.matchAll(/^ollama_gpu_energy_joules_total\{[^}]*\} ([\d.e+]+)$/gm)];
  expect(shown.reduce((sum, [, joules]) => sum + Number(joules), 0)).toBe(hour);
  const span = { from: from / 1_000, granularity: 600, buckets: 6 };
  const sum = (column: readonly (number | null)[]) =>
    column.reduce<number>((joules, value) => joules + (value ?? 0), 0);
  const { gpus } = await aggregator.gpuHistory(span);
  expect(sum(gpus[0]?.energy_j ?? [])).toBe(hour);
  const points = await aggregator.systemHistory(span);
  expect(sum(points.map(({ energy_j }) => energy_j))).toBe(hour);
});
