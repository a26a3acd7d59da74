/** The concerns about one box. */
import * as z from "zod";
import { Count, Time } from "../api/shapes.ts";
import { Untrusted } from "../untrusted.ts";
import { type Definition, error } from "./definition.ts";

const Alternating = z.object({
  model: z.string(),
  context_length: Count.nullable(),
  key: z.string().nullable(),
});

export const BOX_CONCERNS = {
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
  /**
   * An edge that is updated is ahead of its boxes until their agents are. `ollama_agent_current` reports any
   * difference; this concern only the one that an update of the agent ends.
   */
  agent_outdated: {
    subject: "box",
    description:
      "A box runs an older version of the agent than the edge, or another build of the same version.",
    severity: "warning",
    degrades: false,
    alert: "AgentOutdated",
    advice: "Update its agent on the page Boxes, or run the installer on the box again.",
    params: { agent_version: z.string(), edge_version: z.string() },
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
  /**
   * An update of a model is stored beside the old one until it is whole, so a disk with less room takes
   * not even that. A disk that is `disk_filling` raises only that.
   */
  disk_short: {
    subject: "box",
    description:
      "The file system that holds the models of a box has less room than its largest model takes: it cannot pull another one of that size, nor an update of it.",
    severity: "warning",
    degrades: false,
    alert: "DiskShort",
    advice: "Delete models that nobody uses, or move OLLAMA_MODELS to a larger disk.",
    params: {
      free_bytes: z.number(),
      model: z.string().describe("the largest model on the box"),
      model_bytes: z.number(),
    },
  },
  models_reloading: {
    subject: "box",
    description:
      "Two models, or one model with two contexts, push each other out of the memory of a box: callers wait for loads most of the time.",
    severity: "warning",
    degrades: false,
    alert: "ModelsReloading",
    advice:
      "Have callers use one num_ctx for a model, move one of two models to another box, or raise OLLAMA_MAX_LOADED_MODELS if both fit.",
    params: {
      loads: Count,
      minutes: Count,
      lost_ms: z.number(),
      lost_wh: z.number().nullable().describe("their share of the energy; null if unknown"),
      pair: z
        .array(Alternating)
        .length(2)
        .describe("the two that push each other out most, with the keys of their callers"),
    },
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
} as const satisfies Record<string, Definition>;
