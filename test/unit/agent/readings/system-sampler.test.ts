import os, { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { SystemSampler } from "../../../../agent/readings/system-sampler.ts";
import { SYSTEM_SAMPLES_MAX } from "../../../../protocol/limits.ts";
import { SystemSample } from "../../../../protocol/records.ts";
import { eventually } from "../../../support/stack.ts";

test("samples this machine repeatedly, the first time without a CPU figure", async () => {
  const sampler = new SystemSampler({
    diskFolders: [tmpdir()],
    load: () => ({ in_flight: 2, queued: 1 }),
    everyMs: 100,
  });
  sampler.start();
  sampler.start();
  const samples: SystemSample[] = [];
  await eventually(async () => samples.push(...sampler.take()) >= 3);
  sampler.stop();
  const [first, ...rest] = samples.map((sample) => SystemSample.parse(sample));
  expect(first?.cpu_percent).toBeNull();
  for (const sample of rest) {
    expect(sample.cpu_percent).toBeGreaterThanOrEqual(0);
    expect(sample).toMatchObject({
      cpu_count_logical: os.cpus().length,
      memory_total_bytes: os.totalmem(),
      in_flight: 2,
      queued: 1,
    });
    expect(sample.memory_used_bytes).toBeGreaterThan(0);
    expect(sample.memory_used_bytes).toBeLessThan(os.totalmem());
    expect(sample.disk_path).toBe(tmpdir());
    expect(sample.disk_used_bytes).toBeLessThanOrEqual(sample.disk_total_bytes ?? 0);
    expect(Math.abs(Date.parse(sample.at) - Date.now())).toBeLessThan(60_000);
  }
  const times = samples.map(({ at }) => at);
  expect(times).toEqual([...times].sort());
});

test("drops the oldest samples if they are not taken", async () => {
  let taken = 0;
  const sampler = new SystemSampler({
    diskFolders: [],
    load: () => ({ in_flight: taken++, queued: 0 }),
    everyMs: 1,
  });
  sampler.start();
  await eventually(async () => taken > SYSTEM_SAMPLES_MAX + 5);
  sampler.stop();
  const kept = sampler.take();
  expect(kept).toHaveLength(SYSTEM_SAMPLES_MAX);
  expect(kept[0]?.in_flight).toBeGreaterThan(0);
  expect(sampler.take()).toEqual([]);
});
