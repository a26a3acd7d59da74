/** Formats of figures in answers: rounded to their accuracy, times in ISO 8601. */
import type { Cell } from "../counting/cell.ts";

/** Rounds to hundredths: a hundredth of a millisecond is below the accuracy of the measurement. */
export const rounded = (value: number): number => Math.round(value * 100) / 100;
export const roundedOrNull = (value: number | null): number | null =>
  value === null ? null : rounded(value);

export const isoOf = (ms: number): string => new Date(ms).toISOString();
/** Returns null for 0, which means never. */
export const isoOrNull = (ms: number): string | null => (ms === 0 ? null : isoOf(ms));

/** The percentiles of a cell that `/api` shows. */
export const percentilesOf = (cell: Cell) => ({
  latency_p50_ms: roundedOrNull(cell.latency.quantile(0.5)),
  latency_p95_ms: roundedOrNull(cell.latency.quantile(0.95)),
  latency_p99_ms: roundedOrNull(cell.latency.quantile(0.99)),
  ttft_p50_ms: roundedOrNull(cell.ttft.quantile(0.5)),
  ttft_p95_ms: roundedOrNull(cell.ttft.quantile(0.95)),
});
