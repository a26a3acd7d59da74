/** The pause before the next attempt to reach a store that failed. */

const FIRST_MS = 1_000;
/**
 * An outage of one day makes 300 attempts, and delivery resumes at most five minutes after it ends.
 */
const LONGEST_MS = 300_000;

/**
 * Returns how long to wait, in milliseconds.
 * @param failures  consecutive failed attempts, at least one
 * @param random    0 to 1: edges that failed together do not retry together
 */
export const retryDelayMs = (failures: number, random: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + random / 2);
