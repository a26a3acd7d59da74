/**
 * Boxes as targets of a pull: whether the model fits on the disk and in the memory of the GPUs.
 * Pure.
 */
import type { LiveBox } from "../../protocol/api/live.ts";
import { type Fit, fits, VRAM_PER_DOWNLOAD } from "../../protocol/model-memory.ts";
import { sumKnown } from "./power.ts";

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
    return {
      name,
      isUp: state === "up",
      isInstalled: installedOn.includes(name),
      isSimulated: simulated,
      freeDiskBytes,
      fitsDisk: fits(downloadBytes, freeDiskBytes),
      hasGpu: gpus.length > 0,
      vramBytes,
      fitsVram: fits(downloadBytes, vramBytes, VRAM_PER_DOWNLOAD),
    };
  });
