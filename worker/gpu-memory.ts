/** The memory of the GPUs of a box: what is free, and what models would leave. Pure. */
import { withTag } from "../protocol/inventory.ts";
import type { GpuSample } from "../protocol/records.ts";
import { freshGpus, freshLoaded, type RegisteredBox } from "./registered-box.ts";

const MIB = 2 ** 20;

/** Null if a GPU does not report its part, without any, or if its readings are too old. */
export type GpuMemory = { total_bytes: number | null; free_bytes: number | null };

/** Returns the free memory of one GPU in MiB; null if a part of it is unknown. */
export const freeMibOf = ({
  memory_total_mb: total,
  memory_used_mb: used,
}: Pick<GpuSample, "memory_total_mb" | "memory_used_mb">): number | null =>
  total === null || used === null ? null : Math.max(0, total - used);

/** Returns the memory of all GPUs by the last readings, however old; null if a part is unknown. */
export const gpuTotalOf = ({ readings }: RegisteredBox): number | null =>
  bytesOf((readings?.gpu.samples ?? []).map(({ memory_total_mb }) => memory_total_mb));

export function gpuMemoryOf(box: RegisteredBox, nowMs: number): GpuMemory {
  const gpus = box.state === "down" ? [] : freshGpus(box, nowMs);
  return {
    total_bytes: bytesOf(gpus.map(({ memory_total_mb }) => memory_total_mb)),
    free_bytes: bytesOf(gpus.map(freeMibOf)),
  };
}

/**
 * Returns the memory that is free after the models that no request uses are unloaded. Ollama unloads
 * them when another model needs the room.
 * @param stays  the models that are not unloaded, by their names with a tag
 * @returns      null if the free memory or the use of a model is unknown
 */
export function freeAfterUnload(
  box: RegisteredBox,
  stays: (model: string) => boolean,
  nowMs: number,
): number | null {
  const { total_bytes, free_bytes } = gpuMemoryOf(box, nowMs);
  const serving = box.readings?.serving ?? null;
  if (total_bytes === null || free_bytes === null || serving === null) return null;
  const inUse = new Set(serving.flatMap(({ model, open }) => (open > 0 ? withTag(model) : [])));
  let freed = free_bytes;
  for (const { name, size_vram_bytes } of freshLoaded(box, nowMs)) {
    const model = withTag(name);
    if (inUse.has(model) || stays(model)) continue;
    if (size_vram_bytes === null) return null;
    freed += size_vram_bytes;
  }
  return Math.min(total_bytes, freed);
}

/** @param parts  MiB of each GPU */
function bytesOf(parts: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const part of parts) {
    if (part === null) return null;
    sum += part * MIB;
  }
  return parts.length === 0 ? null : sum;
}
