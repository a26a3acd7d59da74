/**
 * How often parts of pages read again what they show, in ms. Each read is billed: docs/cost.md has
 * the sum, which a test counts by these figures.
 */
export const READ_EVERY_MS = {
  events: 15_000,
  gpus: 15_000,
  slowAndFailed: 30_000,
  /** The period before: the totals of an hour that is over hardly change. */
  before: 60_000,
  /** The edge reads thousands of records for it. A period that is selected is explained at once. */
  explanation: 300_000,
} as const;
