/** The memory that a model takes on a disk and on the GPUs, as far as it can be known before. Pure. */

/**
 * Weights take about their download size; the context and the buffers of a short chat, about a
 * fifth more.
 */
export const VRAM_PER_DOWNLOAD = 1.2;

/** Null if the size of the model or of the space is unknown. */
export type Fit = boolean | null;

/** Returns whether a model fits into a space. @param factor  space that a byte of the model takes */
export const fits = (bytes: number | null, spaceBytes: number | null, factor: number = 1): Fit =>
  bytes === null || spaceBytes === null ? null : factor * bytes <= spaceBytes;

const UNIT_BYTES: Record<string, number> = { MB: 1e6, GB: 1e9, TB: 1e12 };

/** Parses a size of the library, such as "2.0 GB". Returns null if it is not a size. */
export function bytesOfSize(size: string | null): number | null {
  const [, amount, unit = ""] = size?.match(/^([\d.]+) ?([MGT]B)$/) ?? [];
  const bytes = Number(amount) * (UNIT_BYTES[unit] ?? Number.NaN);
  return Number.isFinite(bytes) ? bytes : null;
}

/** The memory that Ollama counted for a model with a context, on the GPUs and beside them. */
export type MeasuredMemory = { context_length: number; bytes: number };

/**
 * `measured`: with this context. `interpolated`: between two contexts, or beyond them along their line:
 * the cache grows with the context, and the weights do not. `at_most`: with a larger context.
 */
export type PredictedMemory = {
  bytes: number;
  method: "measured" | "interpolated" | "at_most";
};

/**
 * Predicts the memory of a model with a context.
 * @param measured  one for each context, in any order
 * @returns         null if nothing bounds it
 */
export function predictedMemory(
  measured: readonly MeasuredMemory[],
  contextLength: number,
): PredictedMemory | null {
  const sorted = [...measured].sort((a, b) => a.context_length - b.context_length);
  const same = sorted.find(({ context_length }) => context_length === contextLength);
  if (same !== undefined) return { bytes: same.bytes, method: "measured" };
  const above = sorted.findIndex(({ context_length }) => context_length > contextLength);
  // The two around the context, or the two at the end where it lies beyond.
  const from = above < 0 ? sorted.length - 2 : Math.max(0, above - 1);
  const [a, b] = [sorted[from], sorted[from + 1]];
  const larger = sorted[above];
  if (a !== undefined && b !== undefined && b.bytes >= a.bytes) {
    const slope = (b.bytes - a.bytes) / (b.context_length - a.context_length);
    const bytes = Math.round(a.bytes + slope * (contextLength - a.context_length));
    if (bytes > 0) return { bytes, method: "interpolated" };
  }
  return larger === undefined ? null : { bytes: larger.bytes, method: "at_most" };
}
