/** How figures are shown: rounded to what they are worth, times as ISO 8601. */
import type { Cell } from "../counting/cell.ts";

/** Hundredths: a hundredth of a millisecond is below what is measured. */
export const rounded = (value: number): number => Math.round(value * 100) / 100;
export const roundedOrNull = (value: number | null): number | null =>
  value === null ? null : rounded(value);

export const isoOf = (ms: number): string => new Date(ms).toISOString();
/** `null` for 0, which stands for "never". */
export const isoOrNull = (ms: number): string | null => (ms === 0 ? null : isoOf(ms));

/** The percentiles that `/api` shows of a cell. */
export const percentilesOf = (cell: Cell) => ({
  latency_p50_ms: roundedOrNull(cell.latency.quantile(0.5)),
  latency_p95_ms: roundedOrNull(cell.latency.quantile(0.95)),
  latency_p99_ms: roundedOrNull(cell.latency.quantile(0.99)),
  ttft_p50_ms: roundedOrNull(cell.ttft.quantile(0.5)),
  ttft_p95_ms: roundedOrNull(cell.ttft.quantile(0.95)),
});
