/** `/api/thresholds`. Pure. */
import type { ThresholdsState } from "../../protocol/api/thresholds.ts";
import { CONCERNS } from "../../protocol/concerns.ts";
import {
  builtInThresholds,
  THRESHOLD_CODES,
  type ThresholdCode,
  type ThresholdRule,
} from "../../protocol/thresholds.ts";

const UNITS: Record<ThresholdCode, string> = {
  error_rate_high: "part of the requests, 0 to 1",
  latency_high: "ms at P95",
  queue_long: "requests",
  clock_skew: "ms",
  records_unsent: "records",
  disk_filling: "percent",
  gpu_hot: "°C",
  gpu_bypassed: "percent",
  model_latency_high: "ms at P95",
  model_errors_high: "part of the requests, 0 to 1",
  store_behind: "records",
};

export const thresholdsState = (rules: readonly ThresholdRule[]): ThresholdsState => ({
  rules: [...rules],
  built_in: THRESHOLD_CODES.map((code) => {
    const { warning = null, critical = null } = builtInThresholds(code);
    return {
      ...{ code, description: CONCERNS[code].description, unit: UNITS[code] },
      ...{ warning, critical },
    };
  }),
});
