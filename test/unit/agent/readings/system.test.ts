import { expect, test } from "vitest";
import {
  busyPercent,
  type CpuTimes,
  cpuTimesOf,
  type Machine,
  sampleOf,
} from "../../../../agent/readings/system.ts";
import { SystemSample } from "../../../../protocol/records.ts";

const BEFORE: CpuTimes = { busyMs: 1_000, idleMs: 9_000 };

test.each<[load: string, before: CpuTimes | null, after: CpuTimes | null, percent: number | null]>([
  ["25 % busy", BEFORE, { busyMs: 3_500, idleMs: 16_500 }, 25],
  ["idle", BEFORE, { busyMs: 1_000, idleMs: 29_000 }, 0],
  ["100 % busy", BEFORE, { busyMs: 21_000, idleMs: 9_000 }, 100],
  ["the first sample", null, BEFORE, null],
  ["a system that lists no CPU", BEFORE, null, null],
  ["no time between samples", BEFORE, BEFORE, null],
  ["a CPU that was removed", BEFORE, { busyMs: 600, idleMs: 9_500 }, null],
  ["an idle time that went back", BEFORE, { busyMs: 1_500, idleMs: 8_999 }, null],
])("computes the busy share for %s", (_load, before, after, percent) => {
  expect(busyPercent(before, after)).toBe(percent);
});

test("sums the times of all CPUs, and returns null without CPUs", () => {
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

test("builds a sample from the readings", () => {
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

test.each<[machine: string, read: Partial<Machine>, unknown: Partial<SystemSample>]>([
  [
    "a disk that cannot be read",
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
    "more free memory than the total",
    { memoryFreeBytes: 1_001 },
    { memory_total_bytes: 1_000, memory_used_bytes: null },
  ],
])("uses null for unknown figures of %s", (_machine, read, unknown) => {
  expect(
    SystemSample.parse(sampleOf({ ...MACHINE, ...read }, { busyMs: 0, idleMs: 0 })),
  ).toMatchObject(unknown);
});

test("builds a valid sample from a path or a disk of any size", () => {
  const disk = { path: `/${"x".repeat(4_000)}`, totalBytes: 2 ** 63, usedBytes: 2 ** 62 };
  expect(SystemSample.safeParse(sampleOf({ ...MACHINE, disk }, null)).success).toBe(true);
});
