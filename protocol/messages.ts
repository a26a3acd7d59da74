/**
 * The JSON payloads of frames. Unknown fields are ignored, so that a newer peer of the same
 * protocol version may add some.
 */
import * as z from "zod";
import { type Frame, FrameType, jsonBytes, type StreamId, streamFrame } from "./frames.ts";
import type { OpenRequest } from "./inventory.ts";
import { BODY_BYTES_MAX, ERROR_CHARS_MAX } from "./limits.ts";
import { PINS_PER_BOX_MAX, Pin } from "./pin.ts";
import { Priority } from "./priority.ts";
import { Api, BoxName, cut, ReportedRecord, Seal } from "./records.ts";
import { StoreName } from "./stores.ts";
import { Tag } from "./tags.ts";
import { AgentDigest, TakesUpdates } from "./update.ts";

/** Header names are in lower case; order and duplicates are kept. */
export const Headers = z
  .array(
    z.tuple([
      z
        .string()
        .max(256)
        .regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/),
      z
        .string()
        .max(16_384)
        .regex(/^[^\0\r\n]*$/),
    ]),
  )
  .max(128);
export type Headers = z.infer<typeof Headers>;

/** HELLO, the agent's first frame: its identity. */
export const Hello = z.object({
  box: BoxName,
  /**
   * Random, kept in the agent's state folder. Distinguishes a reconnect from a second agent of the
   * same name.
   */
  agent_id: z.uuid(),
  /** Random for each process. Distinguishes a reconnect from a restart. */
  boot_id: z.uuid(),
  agent_version: z.string().max(32),
  /** The agent's wall clock, unix ms. The edge shows its skew. */
  now_ms: z.number(),
  /** The figures of this box are made up, and labelled as such everywhere. */
  simulated: z.boolean(),
  /** The agent understands SETTINGS. Absent from older agents, which would refuse the frame. */
  takes_settings: z.boolean().optional(),
  /** The agent returns the seal of a request with its record. Absent from older agents. */
  returns_seals: z.boolean().optional(),
  /**
   * The agent ends a request that may move soon after it lost its tunnel, see
   * `YIELD_MS`. Absent from older agents, which go on with it.
   */
  yields_lost: z.boolean().optional(),
  /** The agent understands `may_ask` of OPEN. Absent from older agents. */
  takes_may_ask: z.boolean().optional(),
  /** The agent can run a bench. Absent from older agents. */
  runs_bench: z.boolean().optional(),
  /** The agent keeps pinned models in memory. Absent from older agents. */
  keeps_pins: z.boolean().optional(),
  /** Shows if the agent takes UPDATE. Absent from older agents, which would close the socket. */
  takes_updates: TakesUpdates.optional().catch(undefined),
  /**
   * The digest of the agent's own file, to compare with the one that the edge serves. Null for an agent that is
   * no such file: a single executable, the package, the sources, a part of another program. Absent from older
   * agents.
   */
  agent_sha256: AgentDigest.nullable().optional().catch(undefined),
});
export type Hello = z.infer<typeof Hello>;

/** The external stores that receive finished requests, besides the edge's own ledger. */
export const ExporterType = z.enum(["none", ...StoreName.options, "both"]);
export type ExporterType = z.infer<typeof ExporterType>;

/** WELCOME, the Box's answer: the tunnel is up. */
export const Welcome = z.object({
  edge_version: z.string().max(32),
  now_ms: z.number(),
  heartbeat_ms: z.int().min(100).max(60_000),
  /** Absent from older edges. */
  exporter_type: ExporterType.optional(),
  /**
   * Allows the agent to keep prompts and responses of requests that did not come through the edge.
   * Absent: no, until SETTINGS.
   */
  keep_text: z.boolean().optional(),
  /** The Box passes WAITING on. Absent from older edges, which would close the socket. */
  relays_waiting: z.boolean().optional(),
});
export type Welcome = z.infer<typeof Welcome>;

/** SETTINGS: changed at run time. Sent only to an agent whose HELLO has `takes_settings`. */
export const EdgeSettings = z.object({
  /** False: no text may be kept, not even that of open requests. */
  keep_text: z.boolean(),
  /** The pins of the box. Absent from older edges, and if they have not changed. */
  pins: z.array(Pin).max(PINS_PER_BOX_MAX).optional(),
});
export type EdgeSettings = z.infer<typeof EdgeSettings>;

/**
 * RECORDS: finished requests, oldest first. Sent again until RECORDED confirms that they are in the
 * ledger.
 */
export const Records = z.object({
  /** Position in the agent's spool after the last of these records. Opaque to the edge. */
  position: z.int().nonnegative(),
  records: z.array(ReportedRecord).min(1),
});
export type Records = z.infer<typeof Records>;

/** RECORDED: everything up to `position` is durable. */
export const Recorded = z.object({ position: z.int().nonnegative() });
export type Recorded = z.infer<typeof Recorded>;

/**
 * OPEN: the caller's request as it goes to Ollama, and the facts for its record that only the edge
 * knows.
 */
export const Open = z.object({
  method: z.enum(["GET", "HEAD", "POST", "DELETE"]),
  /** Path on Ollama, e.g. `/api/chat`. Raw, exactly as it was matched against the allowlist. */
  path: z.string().startsWith("/").max(2_048),
  headers: Headers,
  /** The route pattern of the allowlist, see `routes.ts`. */
  endpoint: z.string().max(128),
  api: Api,
  model: z.string().max(512).nullable(),
  /** True for a streamed answer, according to the body or the route's default. */
  stream: z.boolean(),
  started_at: z.iso.datetime({ precision: 3 }),
  /**
   * From `started_at` to the departure of this frame, ms. Null if no edge took the call; absent
   * from older edges.
   */
  edge_ms: z.number().nonnegative().nullable().default(null),
  /** Length of a body that the edge holds whole. Absent for other bodies, and from older edges. */
  body_bytes: z.int().nonnegative().max(BODY_BYTES_MAX).optional(),
  /** Allows the agent to keep prompt and response. */
  keep_text: z.boolean(),
  key_id: z.string().max(64).nullable(),
  client_ip: z.string().max(64).nullable(),
  user_agent: z.string().max(512).nullable(),
  /** The priority of the caller's key in the queue. Absent for a normal one, and from older edges. */
  priority: Priority.optional().catch(undefined),
  /** The tags of the request, see `tags.ts`. Absent without one, and from older edges. */
  end_user: Tag.optional(),
  session_id: Tag.optional(),
  /**
   * The edge begins the caller's answer at the first WAITING, with status 200. Absent for answers
   * that cannot begin before Ollama's, and from older edges.
   */
  takes_waiting: z.boolean().optional(),
  /**
   * The caller's answer has begun, with status 200, while the request was on another box. Absent if it has
   * not, and from older edges.
   */
  answer_begun: z.boolean().optional(),
  /**
   * Another box can serve the request. So the agent need not wait for an Ollama that is away, and
   * keeps the record of a failure for {@link WITHHELD_MS}. Absent from older edges.
   */
  may_move: z.boolean().optional(),
  /**
   * No other box is known to serve the request, and the edge looks for one if it fails. So the agent keeps
   * the record of a failure as with `may_move`, and changes nothing else. Absent from older edges.
   */
  may_ask: z.boolean().optional(),
  /** The edge's signature under its facts, for the record. Absent from older edges. */
  seal: Seal.optional(),
});
export type Open = z.infer<typeof Open>;

/** The wait of a request in the queue of its box, before Ollama had it. */
export const QueueWait = z.object({
  /** Place in the queue at its arrival; 1 for the request that is next. */
  position: z.int().positive(),
  waited_ms: z.number().nonnegative(),
});
export type QueueWait = z.infer<typeof QueueWait>;

/** HEAD: status line and headers of Ollama's answer. */
export const Head = z.object({
  status: z.int().min(200).max(599),
  headers: Headers,
  /** Absent if the request did not wait in the queue, and from older agents. */
  queue: QueueWait.optional(),
});
export type Head = z.infer<typeof Head>;

/** WAITING: the request waits, and Ollama has not begun to answer it. */
export const WaitReport = z.object({
  /** Place in the queue of the box; null if Ollama has the request. */
  position: z.int().positive().nullable(),
  /** Estimated time until Ollama takes the request, ms; null if unknown, or if Ollama has it. */
  eta_ms: z.number().nonnegative().nullable(),
  /** Requests of the model that Ollama works on at once, as far as the agent knows. */
  slots: z.int().positive(),
  /** Ollama has the request, and its model is not in memory. */
  is_loading: z.boolean(),
});
export type WaitReport = z.infer<typeof WaitReport>;

/**
 * DRAIN: the agent takes no new streams. `ends_in_ms`: it stops by then at the latest, and nearly always comes
 * back. The DRAIN of older agents has no payload.
 */
export const Drain = z.object({ ends_in_ms: z.number().nonnegative() });
export type Drain = z.infer<typeof Drain>;

/**
 * ABORT: the stream is over for its sender. From the edge: nobody waits for the answer. From the
 * agent: it cannot go on, and why. The list of codes is closed; a new one needs a decision on both
 * sides.
 */
export const Abort = z.object({
  code: z.enum([
    "caller_gone", // edge → agent: cancel the local request
    "gave_up", // edge → agent: the edge has ended the caller's answer with an error
    "ollama_unreachable", // agent → edge: nothing listens at OLLAMA_HOST
    "ollama_broke", // agent → edge: the answer ended in the middle
    "lost", // agent → edge: the agent was restarted and does not know this stream
    "draining", // agent → edge: no new streams here
    "bad_request", // agent → edge: the agent refuses an OPEN or another frame
  ]),
  message: z.string().max(2_100),
  /** With `caller_gone`: inferred from the loss of the stream's socket. Absent: the caller was seen to leave. */
  presumed: z.boolean().optional(),
  /**
   * With `ollama_unreachable`: Ollama accepts connections and answers nothing. Absent: it refuses them,
   * or an older agent.
   */
  no_answer: z.boolean().optional(),
  /** With `gave_up`: the part that failed. Absent: the tunnel. An older agent ignores it. */
  failed_at: z.literal("gateway").optional(),
  /** With `gave_up`, after a failure: no other box gets the request. Absent from older edges. */
  stays: z.literal(true).optional(),
});
export type Abort = z.infer<typeof Abort>;
export type AbortCode = Abort["code"];

/** Returns an ABORT whose message keeps to its limit. */
export function abortFrame(stream: StreamId, abort: Abort): Frame {
  const message = cut(abort.message, ERROR_CHARS_MAX);
  return streamFrame(FrameType.abort, stream, 0, jsonBytes({ ...abort, message }));
}

/** Returns one open request as readings list it. */
export const openRequestOf = (
  requestId: string,
  { started_at, model, endpoint, key_id, client_ip }: Open,
  isQueued: boolean,
): OpenRequest => ({
  request_id: requestId,
  started_at,
  model,
  endpoint,
  key_id,
  client_ip,
  is_queued: isQueued,
  queue_position: null,
  queue_eta_ms: null,
  phase: null,
  completion_tokens: null,
  tokens_per_second: null,
});

/** Returns the part of a record that comes from OPEN, however the request ended. */
export const factsOf = (requestId: string, open: Open) => ({
  request_id: requestId,
  started_at: open.started_at,
  edge_ms: open.edge_ms,
  model: open.model,
  endpoint: open.endpoint,
  api: open.api,
  stream: open.stream,
  key_id: open.key_id,
  client_ip: open.client_ip,
  user_agent: open.user_agent,
  end_user: open.end_user ?? null,
  session_id: open.session_id ?? null,
});
