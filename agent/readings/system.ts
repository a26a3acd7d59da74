/**
 * Turns readings of the machine into a sample. Pure: the caller passes in the readings.
 *
 * `os` reports the figures of the whole machine even in a container or under a systemd limit, and
 * so does the sample: see {@link SystemSample}.
 */
import type { CpuInfo } from "node:os";
import type { SystemSample } from "../../protocol/records.ts";
import type { Disk } from "./disk.ts";

/** Time of all CPUs since the machine started. */
export type CpuTimes = { busyMs: number; idleMs: number };

export type Machine = {
  nowMs: number;
  cpus: readonly Pick<CpuInfo, "times">[];
  /** `os.loadavg()`. */
  load: readonly number[];
  platform: NodeJS.Platform;
  memoryTotalBytes: number;
  /**
   * `os.freemem()`: MemAvailable on Linux. On macOS it excludes caches, so the used memory is
   * higher than in Activity Monitor.
   */
  memoryFreeBytes: number;
  disk: Disk | null;
  in_flight: number;
  queued: number;
};

/** @param before  CPU times of the previous sample; null for the first */
export function sampleOf(machine: Machine, before: CpuTimes | null): SystemSample {
  const { cpus, platform, load, memoryTotalBytes, memoryFreeBytes, disk } = machine;
  const usedBytes = memoryTotalBytes - memoryFreeBytes;
  return {
    at: new Date(machine.nowMs).toISOString(),
    cpu_percent: busyPercent(before, cpuTimesOf(cpus)),
    cpu_count_logical: cpus.length === 0 ? null : cpus.length,
    load_1m: platform === "win32" ? null : (load[0] ?? null),
    memory_total_bytes: memoryTotalBytes > 0 ? memoryTotalBytes : null,
    // Some containers see their own total beside the free memory of the host. The difference is
    // meaningless.
    memory_used_bytes: usedBytes >= 0 && memoryTotalBytes > 0 ? usedBytes : null,
    disk_path: disk?.path.slice(0, PATH_CHARS_MAX) ?? null,
    disk_total_bytes: disk?.totalBytes ?? null,
    disk_used_bytes: disk?.usedBytes ?? null,
    in_flight: machine.in_flight,
    queued: machine.queued,
  };
}

/** The limit of a sample. */
const PATH_CHARS_MAX = 512;

/** Sums over the CPUs; null if the system lists none, as on Android. */
export function cpuTimesOf(cpus: Machine["cpus"]): CpuTimes | null {
  if (cpus.length === 0) return null;
  let [busyMs, idleMs] = [0, 0];
  for (const { times } of cpus) {
    busyMs += times.user + times.nice + times.sys + times.irq;
    idleMs += times.idle;
  }
  return { busyMs, idleMs };
}

/**
 * Returns the busy share between two readings, 0 to 100. Null without a first reading, without time
 * between them, or if a CPU was removed.
 */
export function busyPercent(before: CpuTimes | null, after: CpuTimes | null): number | null {
  if (before === null || after === null) return null;
  const [busyMs, idleMs] = [after.busyMs - before.busyMs, after.idleMs - before.idleMs];
  if (busyMs < 0 || idleMs < 0 || busyMs + idleMs === 0) return null;
  return (100 * busyMs) / (busyMs + idleMs);
}
