/**
 * Concerns: everything that can be wrong, each with its code, severity, subject and thresholds.
 *
 * The edge computes concerns (`worker/answers/concerns.ts`). `/api/health`, `/api/live`, the page and the
 * generated Prometheus rules read this table, so a GPU is hot at the same temperature everywhere. Concerns
 * are data of the shape in `concern.ts`; `concern-text.ts` puts them into English at the last moment.
 */
import * as z from "zod";
import { Count, Rate, Time } from "./api/shapes.ts";
import { Untrusted } from "./untrusted.ts";

/** The kinds of things that a concern is about; `concern.ts` has the fields of each. */
export type SubjectKind = "edge" | "box" | "gpu" | "model" | "external_store";

/** `critical`: requests fail, or data is lost. `warning`: something will get worse, or is slow. */
export const Severity = z.enum(["critical", "warning"]);
export type Severity = z.infer<typeof Severity>;

/** Values above these raise the concern. A value that equals a threshold raises nothing. */
export type Thresholds = { warning?: number; critical?: number };

type Definition = {
  subject: SubjectKind;
  description: string;
  /** Fixed, or decided by the highest threshold that the value exceeds. */
  severity: Severity | { above: Thresholds };
  /** Makes `/api/health` report `degraded` while it lasts. Advice about capacity does not. */
  degrades: boolean;
  /** The alert in `monitoring/prometheus_rules.yml` that covers it; null with a comment that gives the reason. */
  alert: string | null;
  params: z.ZodRawShape;
};

const error = z.string().nullable().describe("the reason as reported; null when unknown");

export const CONCERNS = {
  /** No alert: an edge that is being set up has no box yet, and one without boxes has no series for them. */
  no_box: {
    subject: "edge",
    description: "No box has ever connected.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {},
  },
  box_down: {
    subject: "box",
    description:
      "The agent of a box is not connected. `since` is when the edge last received a message from it.",
    severity: "critical",
    degrades: true,
    alert: "BoxDown",
    params: {},
  },
  /** No alert: somebody is stopping the agent on purpose. A box that does not come back raises BoxDown. */
  box_draining: {
    subject: "box",
    description: "A box accepts no new requests and finishes those that it has.",
    severity: "warning",
    degrades: false,
    alert: null,
    params: { in_flight: Count.nullable().describe("requests that are being finished") },
  },
  /** No alert: no metric reports it. The requests that fail because of it raise HighErrorRate. */
  ollama_unreachable: {
    subject: "box",
    description: "The Ollama of a box does not answer its agent.",
    severity: "critical",
    degrades: true,
    alert: null,
    params: { error },
  },
  /**
   * No alert: no metric reports it. The edge corrects the times of samples for the skew, so a small one is
   * harmless. NTP keeps a clock within a second; 30 s away, nothing is synchronizing it. The measurement
   * includes the way from the box to the edge, which a busy tunnel can stretch to seconds.
   */
  clock_skew: {
    subject: "box",
    description: "The clock of a box is wrong. Positive when it is ahead of the edge's clock.",
    severity: { above: { warning: 30_000 } },
    degrades: true,
    alert: null,
    params: { skew_ms: z.number() },
  },
  records_lost: {
    subject: "box",
    description:
      "An agent has lost records since it started: it could not write or read its state folder.",
    severity: "critical",
    degrades: true,
    alert: "RecordsLost",
    params: { records: Count },
  },
  /** No alert: `ollama_agent_spooled_records` reports it, but the agent keeps them on disk, so nothing is lost. */
  records_unsent: {
    subject: "box",
    description: "Records of finished requests are waiting on a box for the edge to confirm them.",
    // More than an agent sends in a second, so this is a delay and not a burst.
    severity: { above: { warning: 500 } },
    degrades: false,
    alert: null,
    params: { records: Count },
  },
  /**
   * No alert: it is about one box and harms no other. `ollama_untrusted_records_total` reports it. A
   * faulty clock or an agent that was replaced by an older one also causes it.
   */
  records_untrusted: {
    subject: "box",
    description:
      "A box reported records in the last 24 hours that the edge refused, or counted without their impossible figures.",
    severity: "warning",
    degrades: false,
    alert: null,
    params: {
      records: Count.describe("since the box is known"),
      reason: Untrusted.describe("the reason for the last of them"),
      last_at: Time,
    },
  },
  /** No alert: it depends on the models that are downloaded, and changes only when somebody pulls one. */
  disk_filling: {
    subject: "box",
    description: "The file system that holds the models of a box is almost full.",
    // 10 % of a 1 TB disk holds one or two more large models; 3 % holds none.
    severity: { above: { warning: 90, critical: 97 } },
    degrades: false,
    alert: null,
    params: { used_percent: z.number() },
  },
  /** A box without a GPU raises nothing. */
  gpu_lost: {
    subject: "box",
    description:
      "A GPU of a box cannot be read: it is lost, its driver has failed, or the driver's tool hangs. Models may run on the CPU.",
    severity: "critical",
    degrades: true,
    alert: "GpuLost",
    params: { error, gpus: z.array(Count).describe("indices of the lost GPUs, if known") },
  },
  /**
   * GeForce cards hold themselves at 83 or 84 °C under a long load by design, so 85 is the first temperature
   * that means something. They slow down hard between 88 and 93 °C, data centre cards between 85 and 95.
   */
  gpu_hot: {
    subject: "gpu",
    description: "A GPU is so hot that it lowers its clocks, or soon will.",
    severity: { above: { warning: 85, critical: 90 } },
    degrades: false,
    alert: "GpuHot",
    params: { temperature_c: z.number() },
  },
  /** No alert: `ollama_gpu_throttle_reason` reports it. A GPU that throttles because of heat usually raises GpuHot. */
  gpu_throttled: {
    subject: "gpu",
    description: "A GPU runs slower than it could because of heat or a lack of power.",
    severity: "warning",
    degrades: false,
    alert: null,
    params: { reasons: z.array(z.string()).describe("as in throttle_reasons of /api/gpu") },
  },
  model_on_cpu: {
    subject: "model",
    description: "A loaded model does not fit on the GPU and runs partly, or entirely, on the CPU.",
    severity: "warning",
    degrades: false,
    alert: "ModelOnCpu",
    params: {
      cpu_share: z.number().describe("0 to 1"),
      cpu_bytes: z.number().describe("memory of the model that is not on the GPU"),
    },
  },
  /** No alert: no metric reports it, and callers are served, after a load. */
  pin_failed: {
    subject: "model",
    description: "A box could not bring a pinned model into its memory. It tries again later.",
    severity: "warning",
    degrades: false,
    alert: null,
    params: { error },
  },
  /** The alert uses the critical threshold, which is the seed's. */
  error_rate_high: {
    subject: "edge",
    description: "Requests of the last minutes failed. Not raised below 10 requests.",
    severity: { above: { warning: 0.01, critical: 0.1 } },
    degrades: false,
    alert: "HighErrorRate",
    params: { error_rate: Rate.unwrap(), errors: Count, requests: Count, minutes: Count },
  },
  /** The threshold is the seed's. */
  latency_high: {
    subject: "edge",
    description: "The P95 latency of the last minutes is high. Not raised below 10 requests.",
    severity: { above: { warning: 3_000 } },
    degrades: false,
    alert: "HighLatency",
    params: { latency_p95_ms: z.number(), requests: Count, minutes: Count },
  },
  /** No alert: `ollama_queue_depth` reports it, and a queue that hurts raises HighLatency. */
  queue_long: {
    subject: "edge",
    description: "Requests are waiting for Ollama, on all boxes together.",
    // Ollama serves one to four requests of a model at once: more waiting than that is more than one round.
    severity: { above: { warning: 4 } },
    degrades: false,
    alert: null,
    params: { requests: Count },
  },
  /** No alert: somebody switched it off on purpose. */
  recording_off: {
    subject: "edge",
    description: "Instrumentation is off: requests are served but not recorded.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {},
  },
  store_failing: {
    subject: "external_store",
    description: "The last attempt to write to an external store failed.",
    severity: "critical",
    degrades: true,
    alert: "SinkBehind",
    params: {
      error,
      records: Count.describe("records in its outbox"),
      last_success: Time.nullable().describe("null before the first success"),
    },
  },
  store_behind: {
    subject: "external_store",
    description: "An external store accepts records, but too slowly.",
    // Five minutes of 33 requests a second. A store that is healthy empties its outbox every few seconds.
    severity: { above: { warning: 10_000 } },
    degrades: false,
    alert: "SinkBehind",
    params: { records: Count, last_success: Time.nullable() },
  },
  /** No alert: only somebody who has just cleared the data waits for it, and a failing store raises SinkBehind. */
  store_not_cleared: {
    subject: "external_store",
    description:
      "An external store could not be reached to delete data that was cleared, and still holds it.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {},
  },
  /** No alert: `ollama_sink_dropped_records_total` reports it. SinkBehind fires days before the outbox is full. */
  records_dropped: {
    subject: "external_store",
    description: "The outbox was full in the last 24 hours, so the oldest records were dropped.",
    severity: "critical",
    degrades: true,
    alert: null,
    params: { records: Count.describe("since the store was configured"), last_at: Time },
  },
  /** No alert: `ollama_sink_dropped_records_total` reports it. Retrying cannot help, and the others arrived. */
  records_refused: {
    subject: "external_store",
    description: "An external store refused records in the last 24 hours because of their content.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {
      records: Count.describe("since the store was configured"),
      last_at: Time,
      last_error: z.string(),
    },
  },
  /** No alert: no metric reports it. */
  repository_stale: {
    subject: "external_store",
    description:
      "The model repository cannot be changed, and may be out of date, while its store fails.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: { error: z.string() },
  },
} as const satisfies Record<string, Definition>;

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
export const LOSS_SHOWN_MS = 24 * 3_600_000;
