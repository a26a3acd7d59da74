/** The fit of a model on a box, as text. Pure. */
import type { LiveBox } from "../../protocol/api/live.ts";
import type { Plan } from "../../protocol/api/planning.ts";
import { bytes, count, type Sizes } from "./format.ts";

type PlannedBox = Plan["boxes"][number];

export type FitVerdict = { tone: "good" | "warn" | "bad" | "quiet"; label: string; detail: string };

/** Returns whether a model fits on a box: in one or two words, and with the numbers. */
export function verdictOf(place: PlannedBox, sizes: Sizes): FitVerdict {
  const { state, is_installed, predicted_bytes, method, fits, fits_empty } = place;
  if (state === "down") return { tone: "quiet", label: "not connected", detail: "" };
  const size = bytes(predicted_bytes, sizes);
  const takes = method === "at_most" ? `at most ${size}` : size;
  const needs = predicted_bytes === null ? "" : `Takes ${takes}`;
  const free = `${bytes(place.vram_free_bytes, sizes)} free`;
  const disk = is_installed ? "" : "; it has to be pulled first";
  if (predicted_bytes === null)
    return {
      tone: "quiet",
      label: "unknown",
      detail: `No box has measured it yet: load it once${disk}`,
    };
  if (place.vram_total_bytes === null)
    return {
      tone: "quiet",
      label: "unknown",
      detail: `${needs}; its GPU memory is unknown${disk}`,
    };
  if (fits === true) return { tone: "good", label: "fits", detail: `${needs}, ${free}${disk}` };
  if (fits_empty === true)
    return {
      tone: "warn",
      label: "fits alone",
      detail: `${needs}, ${free}: others have to be unloaded${disk}`,
    };
  if (fits_empty === false)
    return {
      tone: "bad",
      label: "too large",
      detail: `${needs} of ${bytes(place.vram_total_bytes, sizes)}: a part would run on the CPU${disk}`,
    };
  return { tone: "quiet", label: "unknown", detail: `${needs}, ${free}${disk}` };
}

/** Returns the effect of a load that others feel; null if it harms nobody, or nothing is known. */
export function loadWarning(
  place: PlannedBox,
  { loaded }: Pick<LiveBox, "loaded">,
  sizes: Sizes,
): string | null {
  if (place.fits !== false || place.loaded_context_length !== null) return null;
  const size = bytes(place.predicted_bytes, sizes);
  const space = `It takes ${size}, and ${place.box} has ${bytes(place.vram_free_bytes, sizes)} free.`;
  const names = loaded.map(({ name }) => name);
  const others =
    names.length === 0 ? "" : ` Ollama unloads other models to make room: ${names.join(", ")}.`;
  const cpu =
    place.fits_empty === false ? " It is larger than all its GPUs, so a part runs on the CPU." : "";
  return `${space}${others}${cpu}`;
}

/** Returns the context that a plan is for. */
export const contextText = ({ context_length }: Pick<Plan, "context_length">): string =>
  context_length === null ? "" : `with a context of ${count(context_length)}`;
