/**
 * Bucket edges of the published histograms. They are public: changing one changes every stored
 * quantile, and requires a new version of stored cells.
 */

/**
 * Milliseconds, as the mandated name requires. 100, 500, 1000 and 5000 are the documented edges.
 */
export const LATENCY_EDGES_MS: readonly number[] = [
  50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000,
];

/**
 * Seconds of waiting: OpenTelemetry's edges for the time to first token, then minutes for cold
 * loads.
 */
export const WAIT_EDGES: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120,
  300, 600,
];

/** Seconds per output token: OpenTelemetry's edges. */
export const TIME_PER_TOKEN_EDGES: readonly number[] = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
];
