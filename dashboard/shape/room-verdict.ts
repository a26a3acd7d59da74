/** The question whether a box has room for a model of which only the size is known. Pure. */
import type { LiveBox } from "../../protocol/api/live.ts";
import { fits, VRAM_PER_DOWNLOAD } from "../../protocol/model-memory.ts";
import type { FitVerdict } from "./fit.ts";
import { bytes, type Sizes } from "./format.ts";

const SIZE = /^(\d{1,6}(?:\.\d{1,3})?)\s?(gb|gib|mb|mib|tb|tib)?$/i;
const UNIT_BYTES: Record<string, number> = {
  mb: 1e6,
  mib: 2 ** 20,
  gb: 1e9,
  gib: 2 ** 30,
  tb: 1e12,
  tib: 2 ** 40,
};

/** Parses the size of a model as people type it: "20 GB", "4.7GiB", or "20" for gigabytes. */
export function typedSize(text: string): number | null {
  const [, amount, unit = "gb"] = SIZE.exec(text.trim()) ?? [];
  const size = Number(amount) * (UNIT_BYTES[unit.toLowerCase()] ?? Number.NaN);
  return size > 0 ? size : null;
}

/** Returns whether a box has room for a model of which only the size of its files is known. */
export function roomVerdict(
  { state, vram, system }: Pick<LiveBox, "state" | "vram" | "system">,
  fileBytes: number,
  sizes: Sizes,
): FitVerdict {
  if (state === "down") return { tone: "quiet", label: "not connected", detail: "" };
  const { free_bytes, free_after_unload_bytes, total_bytes } = vram;
  const needs = `Needs about ${bytes(VRAM_PER_DOWNLOAD * fileBytes, sizes)} with a short context`;
  const used = system?.disk_used_bytes ?? null;
  const total = system?.disk_total_bytes ?? null;
  const freeDisk = used === null || total === null ? null : Math.max(0, total - used);
  const disk =
    fits(fileBytes, freeDisk) === false
      ? `; its disk has only ${bytes(freeDisk, sizes)} free`
      : freeDisk === null
        ? "; its free disk is unknown"
        : "";
  if (total_bytes === null)
    return {
      tone: "quiet",
      label: "unknown",
      detail: `${needs}; its GPU memory is unknown${disk}`,
    };
  const inSpace = (space: number | null) => fits(fileBytes, space, VRAM_PER_DOWNLOAD);
  const free = `${bytes(free_bytes, sizes)} of ${bytes(total_bytes, sizes)} free`;
  const isShort = disk !== "" && freeDisk !== null;
  if (inSpace(total_bytes) === false)
    return {
      tone: "bad",
      label: "too large",
      detail: `${needs} of ${bytes(total_bytes, sizes)}: a part would run on the CPU${disk}`,
    };
  if (inSpace(free_bytes) === true)
    return {
      tone: isShort ? "warn" : "good",
      label: isShort ? "fits the GPU" : "fits",
      detail: `${needs}, ${free}${disk}`,
    };
  if (inSpace(free_after_unload_bytes) === true)
    return {
      tone: "warn",
      label: "fits after unloads",
      detail: `${needs}, ${free}: idle models have to be unloaded${disk}`,
    };
  if (inSpace(free_bytes) === null)
    return {
      tone: "quiet",
      label: "unknown",
      detail: `${needs}; its free memory is unknown${disk}`,
    };
  return {
    tone: "warn",
    label: "fits alone",
    detail: `${needs}, ${free}: models in use have to be unloaded${disk}`,
  };
}
