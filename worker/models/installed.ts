/** The models on the disks of the boxes that are up, merged. Pure. */
import type { InstalledModels } from "../../protocol/api/ollama.ts";
import { shortName } from "../counting/model-key.ts";
import { isLoadedOn, type RegisteredBox } from "../registered-box.ts";

/** One model name, on all boxes that are up. */
export type Installed = {
  boxes: string[];
  /** The largest, if boxes have different builds under the name. */
  sizeBytes: number | null;
  /** The earliest time at which an Ollama wrote it, unix ms. */
  installedAtMs: number | null;
};

/** Returns the installed models by name, without `:latest`. */
export function installedByName(boxes: readonly RegisteredBox[]): Map<string, Installed> {
  const found = new Map<string, Installed>();
  for (const box of up(boxes)) {
    for (const { name, size_bytes, modified_at } of box.readings?.inventory.models ?? []) {
      const key = shortName(name);
      const before = found.get(key) ?? { boxes: [], sizeBytes: null, installedAtMs: null };
      found.set(key, {
        boxes: [...new Set([...before.boxes, box.name])],
        sizeBytes:
          size_bytes === null ? before.sizeBytes : Math.max(size_bytes, before.sizeBytes ?? 0),
        installedAtMs: earlier(before.installedAtMs, Date.parse(modified_at ?? "")),
      });
    }
  }
  return found;
}

/**
 * Returns the installed models as Ollama lists them, newest first, one entry per name and digest.
 */
export function installedModels(boxes: readonly RegisteredBox[]): InstalledModels {
  const entries = new Map<string, InstalledModels["models"][number]>();
  for (const box of up(boxes)) {
    for (const model of box.readings?.inventory.models ?? []) {
      const { name, digest, modified_at, size_bytes, family, parameter_size, quantization } = model;
      const key = JSON.stringify([name, digest]);
      const before = entries.get(key);
      entries.set(key, {
        name,
        model: name,
        modified_at: newer(before?.modified_at ?? null, modified_at),
        size: size_bytes,
        digest,
        details: { family, parameter_size, quantization_level: quantization },
        boxes: [...(before?.boxes ?? []), box.name],
        loaded_on: [...(before?.loaded_on ?? []), ...(isLoadedOn(box, name) ? [box.name] : [])],
      });
    }
  }
  const models = [...entries.values()].sort(
    (a, b) => ms(b.modified_at) - ms(a.modified_at) || (a.name < b.name ? -1 : 1),
  );
  return { models, simulated: up(boxes).some(({ hello }) => hello.simulated) };
}

const up = (boxes: readonly RegisteredBox[]) => boxes.filter(({ state }) => state !== "down");

const earlier = (known: number | null, ms: number): number | null =>
  Number.isNaN(ms) ? known : Math.min(ms, known ?? ms);

/** Returns unix ms; 0 if the time is unknown or cannot be parsed. */
const ms = (time: string | null): number => Date.parse(time ?? "") || 0;
const newer = (a: string | null, b: string | null): string | null => (ms(b) > ms(a) ? b : (a ?? b));
