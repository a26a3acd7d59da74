/**
 * Events: what happened to boxes, their Ollamas and their models, each with a kind and parameters.
 *
 * The edge derives them from the hellos and readings of agents and from concerns that begin and end. A
 * request is no event, so their number does not grow with traffic.
 */
import * as z from "zod";
import { Count, Time } from "./api/shapes.ts";
import { Concern } from "./concern.ts";
import { Severity } from "./concerns/definition.ts";
import { CONCERN_CODES, type ConcernCode } from "./concerns.ts";
import { BoxName } from "./records.ts";

const ms = z.number().nonnegative().nullable();
const version = z.string().nullable();
const text = z.string().nullable();

type Definition = { description: string; params: z.ZodRawShape };

const away_ms = ms.describe("how long the box was away; null if the edge did not notice");

/** `params` are stored as JSON, so a field that is added needs a default. */
export const EVENTS = {
  edge_updated: {
    description: "The edge runs another version.",
    params: { from: version, to: version },
  },
  box_added: {
    description: "A box connected for the first time.",
    params: { agent_version: version },
  },
  tunnel_cut: {
    description: "The tunnel of a box ended.",
    params: { planned: z.boolean().describe("its agent was draining: somebody stopped it") },
  },
  tunnel_back: {
    description: "The tunnel of a box is up again, with the same start of its agent.",
    params: {
      away_ms,
      requests_kept: Count.describe(
        "requests that went on over the cut and ended as if it had not been",
      ),
      requests_lost: Count.describe("requests that failed because of it"),
    },
  },
  agent_restarted: {
    description: "The agent of a box was started again.",
    params: { away_ms },
  },
  agent_updated: {
    description:
      "The agent of a box was started again with another version, or another build of it: `0.1.0+1a2b3c4d` names a build by the start of its sha256.",
    params: { from: version, to: version, away_ms },
  },
  ollama_lost: {
    description: "The Ollama of a box stopped answering its agent.",
    params: { error: text },
  },
  ollama_back: {
    description: "The Ollama of a box answers again, after a restart or a hang.",
    params: { away_ms: ms.describe("from the readings that missed it; null if unknown") },
  },
  ollama_updated: {
    description: "The Ollama of a box runs another version.",
    params: { from: version, to: version },
  },
  model_pulled: {
    description: "A model is on the disk of a box that was not there, or another build of it.",
    params: { digest: text, size_bytes: z.number().nonnegative().nullable() },
  },
  model_deleted: { description: "A model is no longer on the disk of a box.", params: {} },
  model_loaded: {
    description: "A model came into the memory of a box.",
    params: {
      context_length: Count.nullable(),
      size_bytes: z.number().nonnegative().nullable(),
      gpu_share: z.number().min(0).max(1).nullable().describe("1: entirely on the GPU"),
    },
  },
  model_reloaded: {
    description: "A model in the memory of a box was loaded again with another context length.",
    params: { from: Count, to: Count },
  },
  model_unloaded: { description: "A model left the memory of a box.", params: {} },
  concern_opened: {
    description: "A concern has lasted long enough to be more than a moment.",
    params: {
      concern: Concern,
      since: Time.describe("when the edge first noticed it"),
    },
  },
  concern_closed: {
    description: "A concern is over.",
    params: { concern: Concern, since: Time, lasted_ms: z.number().nonnegative() },
  },
} as const satisfies Record<string, Definition>;

export type EventKind = keyof typeof EVENTS;
export const EVENT_KINDS = Object.keys(EVENTS) as EventKind[];

type ParamsSchema<Kind extends EventKind> = z.ZodObject<(typeof EVENTS)[Kind]["params"]>;
export type EventParams<Kind extends EventKind> = z.infer<ParamsSchema<Kind>>;

/** An event as the edge notes it, before it has an id. */
export type NewEvent = {
  [Kind in EventKind]: {
    kind: Kind;
    box: string | null;
    model: string | null;
    params: EventParams<Kind>;
  };
}[EventKind];

const common = {
  id: z.int().positive().describe("grows with each event"),
  at: Time.describe("when it happened, by the edge's clock"),
  last_at: Time.describe("when it last happened, if it was repeated"),
  count: z.int().positive().describe("how often: repetitions within ten minutes are one event"),
  box: BoxName.nullable(),
  model: z.string().nullable().describe("with its tag"),
};

type EventSchema<Kind extends EventKind> = z.ZodObject<
  typeof common & {
    kind: z.ZodLiteral<Kind>;
    params: ParamsSchema<Kind>;
    severity: z.ZodNullable<typeof Severity>;
    code: z.ZodNullable<z.ZodType<ConcernCode>>;
    text: z.ZodString;
  }
>;
type EventSchemas = { [Kind in EventKind]: EventSchema<Kind> };

const schemas = EVENT_KINDS.map((kind) =>
  z
    .object({
      ...common,
      kind: z.literal(kind),
      params: z.object(EVENTS[kind].params),
      severity: Severity.nullable().describe("severity of its concern; null for other events"),
      code: z.enum(CONCERN_CODES).nullable().describe("code of its concern; null for other events"),
      text: z.string().describe("the event as an English sentence"),
    })
    .describe(EVENTS[kind].description),
);

/** One event, as `/api/events` lists it. */
export const MachineEvent = z
  .discriminatedUnion(
    "kind",
    schemas as unknown as [EventSchemas[EventKind], ...EventSchemas[EventKind][]],
  )
  .meta({ id: "Event", description: "Something that happened. `params` depend on its kind." });
export type MachineEvent = z.infer<EventSchemas[EventKind]>;

/** Parses the stored parameters of an event. */
export const eventParams = (kind: EventKind): z.ZodType => z.object(EVENTS[kind].params);
