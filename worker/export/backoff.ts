/** The pause before the next attempt to reach a store that failed. */

const FIRST_MS = 1_000;
/**
 * An outage of one day makes 300 attempts, and delivery resumes at most five minutes after it ends.
 */
const LONGEST_MS = 300_000;
/** A receiver may name a longer pause, but not an absurd one. */
const LONGEST_NAMED_MS = 3_600_000;

/**
 * Returns how long to wait, in milliseconds.
 * @param failures  consecutive failed attempts, at least one
 * @param random    0 to 1: edges that failed together do not retry together
 * @param namedMs   the pause that the receiver named; null if it named none
 */
export const retryDelayMs = (
  failures: number,
  random: number,
  namedMs: number | null = null,
): number =>
  Math.max(
    Math.min(LONGEST_NAMED_MS, namedMs ?? 0),
    Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + random / 2),
  );
