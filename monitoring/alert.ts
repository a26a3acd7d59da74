/** The form of an alert, and the parts that alerts share. */
import { CONCERN_LASTS_S } from "../protocol/concern-timing.ts";
import type { Severity } from "../protocol/concerns/definition.ts";
import type { ConcernCode } from "../protocol/concerns.ts";

export type Alert = {
  /** PromQL; one array element a line. */
  expr: readonly string[];
  /** Duration for which the expression must hold. */
  for: string;
  severity: Severity;
  summary: string;
  /** One array element a line; the lines are joined with spaces. */
  description: readonly string[];
  /** Comment above the rule, with the reason for its form. */
  comment: readonly string[];
};

/** The duration of a concern before it is an alert, in the form of Prometheus. */
export const lasting = (code: ConcernCode): string => `${CONCERN_LASTS_S[code] / 60}m`;

export const UNLESS_SIMULATED = "unless on (instance, box) ollama_box_simulated == 1";
