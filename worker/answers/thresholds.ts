/** `/api/thresholds`. Pure. */
import type { ThresholdsState } from "../../protocol/api/thresholds.ts";
import { CONCERNS } from "../../protocol/concerns.ts";
import { THRESHOLD_CODES, THRESHOLD_FIGURES } from "../../protocol/threshold-figures.ts";
import { builtInThresholds, type ThresholdRule } from "../../protocol/thresholds.ts";

export const thresholdsState = (rules: readonly ThresholdRule[]): ThresholdsState => ({
  rules: [...rules],
  built_in: THRESHOLD_CODES.map((code) => {
    const { warning = null, critical = null } = builtInThresholds(code);
    return {
      code,
      description: CONCERNS[code].description,
      unit: THRESHOLD_FIGURES[code].unit,
      warning,
      critical,
    };
  }),
});
