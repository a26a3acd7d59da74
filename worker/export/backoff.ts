/** When to try a store again that failed. */

const FIRST_MS = 1_000;
/** An outage of a day is 300 attempts, and the store is written to within five minutes after it. */
const LONGEST_MS = 300_000;

/**
 * @param failures  attempts in a row that failed, at least one
 * @param random    0 to 1: edges that failed together do not come back together
 * @returns milliseconds
 */
export const retryDelayMs = (failures: number, random: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + random / 2);
