/**
 * Concerns: everything that can be wrong, each with its code, severity, subject and thresholds.
 *
 * The edge computes concerns (`worker/answers/concerns.ts`). `/api/health`, `/api/live`, the page and the
 * generated Prometheus rules read this table, so a GPU is hot at the same temperature everywhere. Concerns
 * are data of the shape in `concern.ts`; `concern-text.ts` puts them into English at the last moment.
 * `concerns/` has a file for each kind of subject.
 */
import { BOX_CONCERNS } from "./concerns/box.ts";
import { EDGE_CONCERNS } from "./concerns/edge.ts";
import { GPU_CONCERNS } from "./concerns/gpu.ts";
import { MODEL_CONCERNS } from "./concerns/model.ts";
import { STORE_CONCERNS } from "./concerns/store.ts";
import { DAY_MS } from "./day.ts";

export const CONCERNS = {
  ...EDGE_CONCERNS,
  ...BOX_CONCERNS,
  ...GPU_CONCERNS,
  ...MODEL_CONCERNS,
  ...STORE_CONCERNS,
};

export type ConcernCode = keyof typeof CONCERNS;
export const CONCERN_CODES = Object.keys(CONCERNS) as ConcernCode[];

/** Fewer requests than this make neither a rate nor a percentile. */
export const REQUESTS_MIN = 10;

/** Reasons that mean too little power or too much heat; the others are normal, such as an idle GPU. */
export const BAD_THROTTLE_REASONS: ReadonlySet<string> = new Set([
  "hw_slowdown",
  "sw_thermal_slowdown",
  "hw_thermal_slowdown",
  "hw_power_brake_slowdown",
]);

/** A loss that is older no longer is a concern. Its count stays in `/api/health`. */
export const LOSS_SHOWN_MS = DAY_MS;
