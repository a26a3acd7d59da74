/** A reading in which nothing is known yet: each vendor fills in what its tool reports. Pure. */
import type { GpuReport } from "./gpu-readings.ts";

export const blankReport = (index: number, name: string): GpuReport => ({
  index,
  uuid: null,
  name,
  driver_version: null,
  utilization_percent: null,
  memory_used_mb: null,
  memory_total_mb: null,
  temperature_c: null,
  power_draw_w: null,
  power_limit_w: null,
  sm_clock_mhz: null,
  fan_percent: null,
  throttle_reasons: null,
});

/** Returns a figure of a tool's JSON or text; null if it is not a finite number. */
export function figureIn(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "string") return null;
  const digits = /^\s*(-?\d{1,15}(?:\.\d{1,15})?)\s*(?:%|W|C|MHz|MB|MiB)?\s*$/.exec(value)?.[1];
  return digits === undefined ? null : Number(digits);
}
