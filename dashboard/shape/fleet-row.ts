/** A box as one row of the fleet: its memory cut by model, its GPUs over time, its work. Pure. */
import type { LiveBox } from "../../protocol/api/live.ts";
import type { GpuHistory } from "../../protocol/api/system.ts";

export type MemoryPart = { model: string | null; part: number };

/**
 * Cuts the memory of the GPUs of a box by model. Memory in use that belongs to no model is one more part,
 * without a name.
 * @returns null if the memory is unknown
 */
export function memoryParts({ loaded, gpus, vram }: Pick<LiveBox, "loaded" | "gpus" | "vram">): {
  parts: MemoryPart[];
  usedBytes: number | null;
  totalBytes: number;
} | null {
  const { total_bytes: total } = vram;
  if (total === null || total === 0) return null;
  const parts: MemoryPart[] = loaded
    .filter(({ size_vram_bytes }) => (size_vram_bytes ?? 0) > 0)
    .map(({ name, size_vram_bytes }) => ({ model: name, part: (size_vram_bytes ?? 0) / total }));
  const readings = gpus.map(({ memory_used_mb }) => memory_used_mb);
  const used = readings.every((each) => each !== null)
    ? readings.reduce((sum, each) => sum + each, 0) * 2 ** 20
    : null;
  const rest = (used ?? 0) / total - parts.reduce((sum, { part }) => sum + part, 0);
  if (rest > 0.005) parts.push({ model: null, part: rest });
  return { parts, usedBytes: used, totalBytes: total };
}

/** Returns the mean use of the GPUs of a box over time, 0 to 1; null where it is unknown. */
export function gpuCourse({ gpus, timestamps }: GpuHistory, box: string): (number | null)[] {
  const own = gpus.filter((gpu) => gpu.box === box);
  return timestamps.map((_, index) => {
    const known = own
      .map(({ utilization_percent }) => utilization_percent[index] ?? null)
      .filter((value) => value !== null);
    return known.length === 0
      ? null
      : known.reduce((sum, each) => sum + each, 0) / known.length / 100;
  });
}

/** Sums the power of all GPUs of a box, W; null if it is unknown of one. */
export function wattsOf({ gpus }: Pick<LiveBox, "gpus">): number | null {
  const readings = gpus.map(({ power_draw_w }) => power_draw_w);
  return readings.length === 0 || readings.some((each) => each === null)
    ? null
    : readings.reduce<number>((sum, each) => sum + (each ?? 0), 0);
}

/** Marks beyond these are a figure. */
const MARKS_MAX = 8;

/** Returns how many marks of running and waiting requests to draw. */
export function workMarks({ in_flight, queue_depth }: Pick<LiveBox, "in_flight" | "queue_depth">) {
  const waiting = queue_depth ?? 0;
  const running = Math.max(0, (in_flight ?? 0) - waiting);
  const drawnRunning = Math.min(running, MARKS_MAX - Math.min(waiting, MARKS_MAX / 2));
  return {
    running,
    waiting,
    drawnRunning,
    drawnWaiting: Math.min(waiting, MARKS_MAX - drawnRunning),
  };
}
