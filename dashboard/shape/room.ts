/** The room that the GPUs of a box have for another model. Pure. */
import type { LiveBox } from "../../protocol/api/live.ts";
import { bytes, type Sizes } from "./format.ts";

/** Less is not worth a second figure. */
const WORTH_BYTES = 256 * 1_024 ** 2;

/** Returns a sentence such as "Fits 3 GiB more; 20 GiB once idle models unload"; null if unknown. */
export function roomText({ vram, gpus }: Pick<LiveBox, "vram" | "gpus">, sizes: Sizes) {
  const { free_bytes: now, free_after_unload_bytes: later } = vram;
  if (now === null) return null;
  const where = gpus.length > 1 ? ` on its ${gpus.length} GPUs together` : "";
  const more = `Fits ${bytes(now, sizes)} more${where}`;
  return later === null || later - now < WORTH_BYTES
    ? more
    : `${more}; ${bytes(later, sizes)} once idle models unload`;
}
