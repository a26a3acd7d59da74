import os, { tmpdir } from "node:os";
import { expect, test } from "vitest";
import {
  busyPercent,
  type CpuTimes,
  cpuTimesOf,
  type Machine,
  sampleOf,
} from "../../../../agent/readings/system.ts";
import { SystemSampler } from "../../../../agent/readings/system-sampler.ts";
import { SYSTEM_SAMPLES_MAX } from "../../../../protocol/limits.ts";
import { SystemSample } from "../../../../protocol/records.ts";
import { eventually } from "../../../support/stack.ts";

const BEFORE: CpuTimes = { busyMs: 1_000, idleMs: 9_000 };

test.each<[what: string, before: CpuTimes | null, after: CpuTimes | null, percent: number | null]>([
  ["a quarter of the time", BEFORE, { busyMs: 3_500, idleMs: 16_500 }, 25],
  ["nothing", BEFORE, { busyMs: 1_000, idleMs: 29_000 }, 0],
  ["all of the time", BEFORE, { busyMs: 21_000, idleMs: 9_000 }, 100],
  ["no sample before", null, BEFORE, null],
  ["a system that tells of no CPU", BEFORE, null, null],
  ["no time between", BEFORE, BEFORE, null],
  ["a CPU that was taken away", BEFORE, { busyMs: 600, idleMs: 9_500 }, null],
  ["an idle clock that went back", BEFORE, { busyMs: 1_500, idleMs: 8_999 }, null],
])("busy of %s", (_what, before, after, percent) => {
  expect(busyPercent(before, after)).toBe(percent);
});

test("the times of all CPUs are one sum, and none are null", () => {
  const times = { user: 1, nice: 2, sys: 3, idle: 10, irq: 4 };
  expect(cpuTimesOf([{ times }, { times }])).toEqual({ busyMs: 20, idleMs: 20 });
  expect(cpuTimesOf([])).toBeNull();
});

const MACHINE: Machine = {
  nowMs: 1_800_000_000_000,
  cpus: [{ times: { user: 1, nice: 0, sys: 0, idle: 1, irq: 0 } }],
  load: [0.5, 1, 2],
  platform: "linux",
  memoryTotalBytes: 1_000,
  memoryFreeBytes: 400,
  disk: { path: "/models", totalBytes: 500, usedBytes: 100 },
  in_flight: 3,
  queued: 1,
};

test("a sample is what was read", () => {
  expect(SystemSample.parse(sampleOf(MACHINE, { busyMs: 0, idleMs: 0 }))).toEqual({
    at: "2027-01-15T08:00:00.000Z",
    cpu_percent: 50,
    cpu_count_logical: 1,
    load_1m: 0.5,
    memory_total_bytes: 1_000,
    memory_used_bytes: 600,
    disk_path: "/models",
    disk_total_bytes: 500,
    disk_used_bytes: 100,
    in_flight: 3,
    queued: 1,
  });
});

test.each<[what: string, read: Partial<Machine>, unknown: Partial<SystemSample>]>([
  [
    "no disk that could be asked",
    { disk: null },
    { disk_path: null, disk_total_bytes: null, disk_used_bytes: null },
  ],
  ["Windows, which has no load average", { platform: "win32", load: [0, 0, 0] }, { load_1m: null }],
  ["a system that hides its CPUs", { cpus: [] }, { cpu_percent: null, cpu_count_logical: null }],
  [
    "a system that hides its memory",
    { memoryTotalBytes: 0 },
    { memory_total_bytes: null, memory_used_bytes: null },
  ],
  [
    "more free memory than there is",
    { memoryFreeBytes: 1_001 },
    { memory_total_bytes: 1_000, memory_used_bytes: null },
  ],
])("unknown is null: %s", (_what, read, unknown) => {
  expect(
    SystemSample.parse(sampleOf({ ...MACHINE, ...read }, { busyMs: 0, idleMs: 0 })),
  ).toMatchObject(unknown);
});

test("a path or a disk of any size makes a sample that the edge takes", () => {
  const disk = { path: `/${"x".repeat(4_000)}`, totalBytes: 2 ** 63, usedBytes: 2 ** 62 };
  expect(SystemSample.safeParse(sampleOf({ ...MACHINE, disk }, null)).success).toBe(true);
});

test("this machine is sampled again and again, the first time without a CPU figure", async () => {
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

test("nobody takes them: the oldest go first", async () => {
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
