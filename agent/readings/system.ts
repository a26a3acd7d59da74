/**
 * What the machine says of itself, as a sample. Pure: what was read is handed in.
 *
 * `os` reads the machine's figures even in a container or under a limit of systemd, and so do we:
 * see {@link SystemSample}.
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
  /** `os.freemem()`: MemAvailable on Linux. On macOS it leaves out what caches hold, so that used is more than Activity Monitor says. */
  memoryFreeBytes: number;
  disk: Disk | null;
  in_flight: number;
  queued: number;
};

/** @param before  the times of the sample before; null when there is none */
export function sampleOf(machine: Machine, before: CpuTimes | null): SystemSample {
  const { cpus, platform, load, memoryTotalBytes, memoryFreeBytes, disk } = machine;
  const usedBytes = memoryTotalBytes - memoryFreeBytes;
  return {
    at: new Date(machine.nowMs).toISOString(),
    cpu_percent: busyPercent(before, cpuTimesOf(cpus)),
    cpu_count_logical: cpus.length === 0 ? null : cpus.length,
    load_1m: platform === "win32" ? null : (load[0] ?? null),
    memory_total_bytes: memoryTotalBytes > 0 ? memoryTotalBytes : null,
    // Some containers are shown a total of their own beside the free memory of the host: a difference that says nothing.
    memory_used_bytes: usedBytes >= 0 && memoryTotalBytes > 0 ? usedBytes : null,
    disk_path: disk?.path.slice(0, PATH_CHARS_MAX) ?? null,
    disk_total_bytes: disk?.totalBytes ?? null,
    disk_used_bytes: disk?.usedBytes ?? null,
    in_flight: machine.in_flight,
    queued: machine.queued,
  };
}

/** What a sample may carry. */
const PATH_CHARS_MAX = 512;

/** The sum over CPUs; null where the system tells of none, as on Android. */
export function cpuTimesOf(cpus: Machine["cpus"]): CpuTimes | null {
  if (cpus.length === 0) return null;
  let [busyMs, idleMs] = [0, 0];
  for (const { times } of cpus) {
    busyMs += times.user + times.nice + times.sys + times.irq;
    idleMs += times.idle;
  }
  return { busyMs, idleMs };
}

/** The busy part between two readings; null where they say nothing: none before, no time between, or a CPU that was taken away. */
export function busyPercent(before: CpuTimes | null, after: CpuTimes | null): number | null {
  if (before === null || after === null) return null;
  const [busyMs, idleMs] = [after.busyMs - before.busyMs, after.idleMs - before.idleMs];
  if (busyMs < 0 || idleMs < 0 || busyMs + idleMs === 0) return null;
  return (100 * busyMs) / (busyMs + idleMs);
}
