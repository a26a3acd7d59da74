/** Where a model fits, from the memory that it took on any box. Pure. */
import type { Plan } from "../../protocol/api/planning.ts";
import { withTag } from "../../protocol/inventory.ts";
import { fits, type MeasuredMemory, predictedMemory } from "../../protocol/model-memory.ts";
import { gpuMemoryOf } from "../gpu-memory.ts";
import { freshLoaded, type RegisteredBox } from "../registered-box.ts";

/**
 * @param context     null: that of the model in memory somewhere, or the largest that was measured
 * @param measuredOf  returns the memory of a build, one for each context
 * @returns           null if no box has the model
 */
export function planOf(
  boxes: readonly RegisteredBox[],
  model: string,
  context: number | null,
  measuredOf: (digest: string) => readonly MeasuredMemory[],
  nowMs: number,
): Plan | null {
  const installed = boxes.flatMap((box) => installedOn(box, model) ?? []);
  const [newest] = installed.toSorted((a, b) => msOf(b.modified_at) - msOf(a.modified_at));
  if (newest === undefined) return null;
  const loadedContexts = boxes.flatMap((box) => loadedOn(box, model, nowMs)?.context_length ?? []);
  const measured = newest.digest === null ? [] : measuredOf(newest.digest);
  const contexts = [...loadedContexts, ...measured.map(({ context_length }) => context_length)];
  const contextLength =
    context ?? loadedContexts[0] ?? (contexts.length === 0 ? null : Math.max(...contexts));
  return {
    model: newest.name,
    context_length: contextLength,
    boxes: boxes.map((box) => {
      const digest = installedOn(box, model)?.digest ?? newest.digest;
      const predicted =
        digest === null || contextLength === null
          ? null
          : predictedMemory(measuredOf(digest), contextLength);
      return placeOn(box, model, predicted, nowMs);
    }),
  };
}

function placeOn(
  box: RegisteredBox,
  model: string,
  predicted: ReturnType<typeof predictedMemory>,
  nowMs: number,
): Plan["boxes"][number] {
  const loaded = loadedOn(box, model, nowMs);
  const bytes = predicted?.bytes ?? null;
  const { total_bytes: total, free_bytes: free } = gpuMemoryOf(box, nowMs);
  // The model may need less than an upper bound.
  const fitIn = (space: number | null) => {
    const fit = fits(bytes, space);
    return fit === false && predicted?.method === "at_most" ? null : fit;
  };
  // The GPUs may have been read before the model was in memory, and Ollama estimates what it takes.
  const most = total ?? Number.POSITIVE_INFINITY;
  const available = free === null ? null : Math.min(most, free + (loaded?.size_vram_bytes ?? 0));
  return {
    box: box.name,
    state: box.state,
    simulated: box.hello.simulated,
    is_installed: installedOn(box, model) !== null,
    loaded_context_length: loaded?.context_length ?? null,
    predicted_bytes: bytes,
    method: predicted?.method ?? null,
    vram_total_bytes: total,
    vram_free_bytes: available,
    fits: fitIn(available),
    fits_empty: fitIn(total),
    room_bytes: bytes === null || available === null ? null : available - bytes,
  };
}

const isNamed = (model: string) => {
  const wanted = withTag(model).toLowerCase();
  return ({ name }: { name: string }) => withTag(name).toLowerCase() === wanted;
};

const installedOn = ({ readings }: RegisteredBox, model: string) =>
  readings?.inventory.models.find(isNamed(model)) ?? null;

const loadedOn = (box: RegisteredBox, model: string, nowMs: number) =>
  box.state === "down" ? null : (freshLoaded(box, nowMs).find(isNamed(model)) ?? null);

/** Returns unix ms; 0 if the time is unknown or cannot be parsed. */
const msOf = (time: string | null): number => Date.parse(time ?? "") || 0;

/**
 * Returns the box where a model loads best; null if it is on none of those that are up.
 * @param mayLoad  whether the caller may use a box
 */
export function loadPlace({ boxes }: Plan, mayLoad: (box: string) => boolean): string | null {
  const rankOf = ({ loaded_context_length, fits: fit, fits_empty }: PlannedBox): number[] => [
    loaded_context_length === null ? 0 : 1,
    ...[fit, fits_empty].map((each) => (each === null ? 1 : each ? 2 : 0)),
  ];
  const [best] = boxes
    .filter(({ box, state, is_installed }) => state === "up" && is_installed && mayLoad(box))
    .toSorted((a, b) => {
      const [ofA, ofB] = [rankOf(a), rankOf(b)];
      const differing = ofA.findIndex((rank, index) => rank !== ofB[index]);
      return differing < 0
        ? (b.room_bytes ?? 0) - (a.room_bytes ?? 0)
        : (ofB[differing] ?? 0) - (ofA[differing] ?? 0);
    });
  return best?.box ?? null;
}

type PlannedBox = Plan["boxes"][number];
