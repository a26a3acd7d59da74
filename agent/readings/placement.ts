/**
 * The GPUs that hold each loaded model, so that a request shares only their power.
 *
 * Ollama does not report them. Its runners are processes, one for each loaded model, and the driver
 * reports the GPUs of a process. Which runner holds which model follows from their memory. Where it
 * does not follow, a model may be on any GPU with a runner; without a runner nothing is known.
 */
import { type LoadedModel, withTag } from "../../protocol/inventory.ts";
import type { GpuProcess, GpuSource } from "./gpu-source.ts";

/** Names of Ollama's runners, old and new. */
const RUNNER = /ollama|llama/i;

type Placed = Pick<LoadedModel, "name" | "size_vram_bytes">;
type Runner = { gpus: ReadonlySet<number>; usedMb: number | null };

const MIB = 2 ** 20;

/**
 * Pure.
 * @param indexOf  the index of a GPU by its uuid
 * @returns the GPUs of each model by its name; empty if nothing is known
 */
export function placementsOf(
  loaded: readonly Placed[],
  processes: readonly GpuProcess[],
  indexOf: ReadonlyMap<string, number>,
): Map<string, ReadonlySet<number>> {
  const models = loaded.filter(({ size_vram_bytes }) => size_vram_bytes !== 0);
  const runners = runnersOf(processes, indexOf);
  if (models.length === 0 || runners.length === 0) return new Map();
  const matched = matchedBySize(models, runners);
  const any = new Set(runners.flatMap(({ gpus }) => [...gpus]));
  return new Map(models.map((model, n) => [withTag(model.name), matched?.[n]?.gpus ?? any]));
}

function runnersOf(
  processes: readonly GpuProcess[],
  indexOf: ReadonlyMap<string, number>,
): Runner[] {
  const own = processes.filter(({ name, gpuUuid }) => RUNNER.test(name) && indexOf.has(gpuUuid));
  return [...Map.groupBy(own, ({ pid }) => pid).values()].map((parts) => ({
    gpus: new Set(parts.flatMap(({ gpuUuid }) => indexOf.get(gpuUuid) ?? [])),
    usedMb: parts.some(({ usedMb }) => usedMb === null)
      ? null
      : parts.reduce((sum, { usedMb }) => sum + (usedMb ?? 0), 0),
  }));
}

/**
 * Returns the runner of each model, or null if that is not certain. Both are put in order of their
 * memory. A runner uses more memory than Ollama reports, so the order counts and not the size; two
 * models must differ by more than a tenth.
 */
function matchedBySize(models: readonly Placed[], runners: readonly Runner[]): Runner[] | null {
  if (models.length !== runners.length) return null;
  if (models.length === 1) return [...runners];
  const sizes = models.map(({ size_vram_bytes }) => (size_vram_bytes ?? 0) / MIB);
  const used = runners.map(({ usedMb }) => usedMb ?? 0);
  if (![sizes, used].every(isClearlyOrdered)) return null;
  const byUse = [...runners].sort((a, b) => (a.usedMb ?? 0) - (b.usedMb ?? 0));
  const order = [...sizes].sort((a, b) => a - b);
  return sizes.map((size) => byUse[order.indexOf(size)] as Runner);
}

function isClearlyOrdered(values: readonly number[]): boolean {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.every((value, n) => value > 0 && (n === 0 || value > 1.1 * (sorted[n - 1] ?? 0)));
}

/** Keeps the placements up to date as models are loaded and unloaded. */
export class Placements {
  readonly #source: Pick<GpuSource, "latest" | "processes">;
  #loaded = "";
  #placements: ReadonlyMap<string, ReadonlySet<number>> = new Map();

  constructor(source: Pick<GpuSource, "latest" | "processes">) {
    this.#source = source;
  }

  /** Returns the GPUs that hold a model; null if unknown. */
  readonly gpusOf = (model: string): ReadonlySet<number> | null =>
    this.#placements.get(withTag(model)) ?? null;

  /**
   * The models in memory, maybe other ones than before. A box with one GPU has nothing to find out.
   */
  async update(loaded: readonly Placed[]): Promise<void> {
    const names = JSON.stringify(
      loaded.map(({ name, size_vram_bytes }) => [name, size_vram_bytes]),
    );
    const gpus = this.#source.latest();
    if (names === this.#loaded || gpus.length < 2) return;
    this.#loaded = names;
    this.#placements = new Map();
    const processes = await this.#source.processes();
    if (processes === null || names !== this.#loaded) return;
    const indexOf = new Map(
      gpus.flatMap(({ uuid, index }) => (uuid === null ? [] : [[uuid, index]])),
    );
    this.#placements = placementsOf(loaded, processes, indexOf);
  }
}
