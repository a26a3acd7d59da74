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
