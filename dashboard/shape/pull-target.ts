/**
 * Boxes as targets of a pull: whether the model fits on the disk and in the memory of the GPUs.
 * Pure.
 */
import type { LiveBox } from "../../protocol/api/live.ts";
import { sumKnown } from "./power.ts";

/** Null if the size of the model or of the space is unknown. */
type Fit = boolean | null;

export type PullTarget = {
  name: string;
  isUp: boolean;
  isInstalled: boolean;
  isSimulated: boolean;
  freeDiskBytes: number | null;
  fitsDisk: Fit;
  hasGpu: boolean;
  vramBytes: number | null;
  fitsVram: Fit;
};

const MIB = 1_024 ** 2;

/**
 * Weights take about their download size; the context and the buffers of a short chat, about a
 * fifth more.
 */
const VRAM_PER_DOWNLOAD = 1.2;

/** @param downloadBytes  size of the model; null if it is unknown */
export const pullTargets = (
  boxes: readonly LiveBox[],
  downloadBytes: number | null,
  installedOn: readonly string[],
): PullTarget[] =>
  boxes.map(({ name, state, simulated, system, gpus }) => {
    const used = system?.disk_used_bytes ?? null;
    const total = system?.disk_total_bytes ?? null;
    const freeDiskBytes = used === null || total === null ? null : Math.max(0, total - used);
    const vramMib = sumKnown(gpus.map(({ memory_total_mb }) => memory_total_mb));
    const vramBytes = vramMib === null ? null : vramMib * MIB;
    const fits = (factor: number, space: number | null): Fit =>
      downloadBytes === null || space === null ? null : factor * downloadBytes <= space;
    return {
      name,
      isUp: state === "up",
      isInstalled: installedOn.includes(name),
      isSimulated: simulated,
      freeDiskBytes,
      fitsDisk: fits(1, freeDiskBytes),
      hasGpu: gpus.length > 0,
      vramBytes,
      fitsVram: fits(VRAM_PER_DOWNLOAD, vramBytes),
    };
  });

const UNIT_BYTES: Record<string, number> = { MB: 1e6, GB: 1e9, TB: 1e12 };

/** Parses a size of the library, such as "2.0 GB". Returns null if it is not a size. */
export function bytesOfSize(size: string | null): number | null {
  const [, amount, unit = ""] = size?.match(/^([\d.]+) ?([MGT]B)$/) ?? [];
  const bytes = Number(amount) * (UNIT_BYTES[unit] ?? Number.NaN);
  return Number.isFinite(bytes) ? bytes : null;
}
