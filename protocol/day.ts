/** One day, for retention and other long times. */
export const DAY_MS = 24 * 3_600_000;
