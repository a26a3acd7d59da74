/**
 * The time that each concern must last before somebody gets a message: the edge's own messages and the
 * Prometheus alerts read this table.
 */
import type { ConcernCode } from "./concerns.ts";

const MINUTE = 60;

/**
 * Seconds. A deployment cuts every tunnel for a moment, and a driver that is being updated fails for one:
 * two minutes. Figures over the last five minutes take five. A loss is permanent, so it waits for nothing.
 * An update of an agent and a large pull are under way for minutes: an hour.
 */
export const CONCERN_LASTS_S = {
  no_box: 5 * MINUTE,
  box_down: 2 * MINUTE,
  box_draining: 10 * MINUTE,
  ollama_unreachable: 2 * MINUTE,
  clock_skew: 5 * MINUTE,
  agent_outdated: 60 * MINUTE,
  records_lost: 0,
  records_unsent: 10 * MINUTE,
  records_untrusted: 0,
  models_reloading: 5 * MINUTE,
  disk_filling: 5 * MINUTE,
  disk_short: 60 * MINUTE,
  gpu_lost: 2 * MINUTE,
  gpu_hot: 5 * MINUTE,
  gpu_throttled: 5 * MINUTE,
  gpu_bypassed: 5 * MINUTE,
  model_on_cpu: 5 * MINUTE,
  prompts_truncated: 5 * MINUTE,
  cold_starts: 5 * MINUTE,
  model_slow: 5 * MINUTE,
  model_latency_high: 5 * MINUTE,
  model_errors_high: 5 * MINUTE,
  pin_failed: 0,
  error_rate_high: 5 * MINUTE,
  latency_high: 5 * MINUTE,
  queue_long: 5 * MINUTE,
  recording_off: 5 * MINUTE,
  store_failing: 5 * MINUTE,
  store_behind: 5 * MINUTE,
  store_not_cleared: 5 * MINUTE,
  records_dropped: 0,
  records_refused: 0,
  repository_stale: 5 * MINUTE,
} as const satisfies Record<ConcernCode, number>;
