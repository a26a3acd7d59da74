/**
 * The query and the answer of `/api/stats/logs`: finished requests, page by page or as an export.
 */
import * as z from "zod";
import { CALL_KINDS } from "../call-kind.ts";
import { isSorted, LOG_SORTS, type LogOrder, SORTED_MAX } from "../log-order.ts";
import { RequestRecord, Status } from "../records.ts";
import { Tag } from "../tags.ts";
import { Count, ExportFormat, KeyNarrowing, Rate, Store, Time } from "./shapes.ts";

/** One finished request, in `GET /api/stats/logs`. */
export const LogEntry = z
  .object({
    id: z.uuid().describe("the request id, as in the answer's X-Request-Id"),
    timestamp: Time.describe("when the edge accepted the request"),
    ...RequestRecord.omit({ request_id: true, started_at: true }).shape,
    edge_ms: RequestRecord.shape.edge_ms
      .unwrap()
      .describe("from acceptance to departure for the box; part of latency_ms"),
    tunnel_ms: RequestRecord.shape.tunnel_ms
      .unwrap()
      .describe(
        "round trip of the tunnel, measured by the last heartbeat before the request; part of latency_ms",
      ),
    phases_source: RequestRecord.shape.phases_source
      .unwrap()
      .describe(
        "source of queue, load, prefill and decode. ollama: reported by Ollama; inferred: by the agent, within 5 % or null, because the API of the call reports none; null if none is known, or from an older version",
      ),
    energy_method: RequestRecord.shape.energy_method
      .unwrap()
      .describe(
        "instant: from power at single moments, several times a second; mean: from the mean power of each second; null if energy_j is unknown, or from an older version",
      ),
    cost: RequestRecord.shape.cost
      .unwrap()
      .describe(
        "cost of energy_j, by the tariff in force while the request ran; null if the energy or the price is unknown. A later tariff does not change it",
      ),
    cost_currency: RequestRecord.shape.cost_currency
      .unwrap()
      .describe("ISO 4217; null if the cost is unknown"),
    co2_g: RequestRecord.shape.co2_g
      .unwrap()
      .describe("grams of CO2 of energy_j, by the same tariff; null if unknown"),
    source: RequestRecord.shape.source
      .unwrap()
      .describe(
        "edge: the edge accepted the request and vouches for its facts; listener: a call to the listener of an agent; unsealed: reported by an agent of an earlier version, without its caller; null: recorded by an earlier version",
      ),
    simulated: RequestRecord.shape.simulated
      .unwrap()
      .describe(
        "true: the box runs no model, so text and figures are made up; null: no box had the request, or an older version recorded it",
      ),
    route_reason: RequestRecord.shape.route_reason
      .unwrap()
      .describe(
        "why the request was on its box, as in the answer's X-Route-Reason; null: no edge sent it there, or an older version recorded it",
      ),
    attempts: RequestRecord.shape.attempts
      .unwrap()
      .describe("boxes that had the request, one after the other; null like route_reason"),
    moved_from: RequestRecord.shape.moved_from
      .unwrap()
      .describe(
        "the boxes that had the request before box, each with the reason for which it moved on and the time there: atlas:ollama_unreachable:12ms,basil:no_answer:4000ms. null: none had",
      ),
    prompt_chars: RequestRecord.shape.prompt_chars
      .unwrap()
      .describe("length of the texts of the whole prompt, in UTF-16 code units; null if unknown"),
    context_length: RequestRecord.shape.context_length
      .unwrap()
      .describe("tokens of context that the model had for the request; null if unknown"),
    prompt_truncated: RequestRecord.shape.prompt_truncated
      .unwrap()
      .describe(
        "true: a part of the prompt did not fit into the context and Ollama left it out, by its lengths; null if unknown",
      ),
    key_name: RequestRecord.shape.key_name
      .unwrap()
      .describe("the name of the key when the call was recorded; null without a key"),
    end_user: RequestRecord.shape.end_user
      .unwrap()
      .describe(
        "the user that the caller named: user in the body, or metadata.user_id of Anthropic; null if none",
      ),
    session_id: RequestRecord.shape.session_id
      .unwrap()
      .describe("the caller's X-Session-Id; null if none"),
    tokens_used: Count.nullable().describe(
      "prompt and completion tokens; null if Ollama reported neither",
    ),
  })
  .meta({ id: "LogEntry" });
export type LogEntry = z.infer<typeof LogEntry>;

/** `GET /api/stats/logs/{id}`. */
export const LogDetail = LogEntry.extend({
  explanation: z
    .string()
    .describe(
      "one sentence that explains its time, from its phases and from what else happened then; for people",
    ),
  slower_than: Rate.describe(
    "part of the successful requests of its model that were quicker; null if it failed, or below 20 requests",
  ),
  prompt_tokens_cached: Count.nullable().describe(
    "tokens of the prompt that Ollama had in its cache, estimated from the time that it took to read the others; null if too few calls of the model on its box show the pace",
  ),
  store: Store.describe("the store that it was read from"),
}).meta({ id: "LogDetail" });
export type LogDetail = z.infer<typeof LogDetail>;

/** `GET /api/stats/logs`: newest first. */
export const Logs = z
  .object({
    logs: z.array(LogEntry),
    store: Store.describe(
      "the store that the page was read from: entries that the Durable Object no longer keeps come from an external store",
    ),
    total: Count.describe("how many entries match in that store"),
    limit: Count,
    offset: Count,
    next: Count.nullable().describe("the offset of the next page; null on the last"),
    next_cursor: z
      .uuid()
      .nullable()
      .describe("the cursor of the next page, which new requests do not shift; null on the last"),
  })
  .meta({ id: "Logs" });
export type Logs = z.infer<typeof Logs>;

/** Enough of a text to recognise it in a list. */
export const SHORT_TEXT_CHARS = 200;

/** The parameters that select requests, for lists and for counts. */
export const LOG_SELECTION = {
  model: KeyNarrowing.shape.model,
  status: Status.optional(),
  kind: z
    .enum(CALL_KINDS)
    .optional()
    .describe("only these calls, of any API. manage: changes of models; read: lists and versions"),
  box: KeyNarrowing.shape.box,
  key: KeyNarrowing.shape.key,
  user: Tag.optional().describe("only requests whose caller named this user"),
  session: Tag.optional().describe("only requests whose caller sent this X-Session-Id"),
  q: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("only where the prompt, response or error message contains this text, in any case"),
  since: Time.optional().describe("only requests that the edge accepted at this time or later"),
  until: Time.optional().describe("only requests that the edge accepted before this time"),
};

export const LogsQuery = z
  .strictObject({
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(1_000)
      .optional()
      .describe("default 100; an export without a limit contains all entries"),
    offset: z.coerce.number().int().min(0).max(10_000_000).optional().describe("default 0"),
    cursor: z.uuid().optional().describe("next_cursor of the previous page, instead of offset"),
    id: z.uuid().optional().describe("only the request with this id"),
    ...LOG_SELECTION,
    sort: z
      .enum(LOG_SORTS)
      .default("time")
      .describe(
        `by another figure than time: only requests that the edge itself keeps, the first ${SORTED_MAX.toLocaleString("en")}, with offset instead of cursor. Unknown figures come last`,
      ),
    order: z.enum(["desc", "asc"]).default("desc").describe("default desc: the largest first"),
    texts: z
      .enum(["full", "short"])
      .default("full")
      .describe(`short: only the first ${SHORT_TEXT_CHARS} characters of prompt and response`),
    format: ExportFormat,
  })
  .refine((q) => q.cursor === undefined || q.offset === undefined, {
    error: "use cursor or offset, not both",
    path: ["cursor"],
  })
  .refine((q) => !isSorted(q) || q.cursor === undefined, {
    error: "a sorted list has no cursors: use offset",
    path: ["cursor"],
  })
  .refine((q) => !isSorted(q) || (q.offset ?? 0) + (q.limit ?? 0) <= SORTED_MAX, {
    error: `a sorted list has at most ${SORTED_MAX} requests`,
    path: ["offset"],
  })
  .refine((q) => !isSorted(q) || q.format === "json", {
    error: "an export is in order of time, newest first",
    path: ["sort"],
  });
export type LogsQuery = z.infer<typeof LogsQuery>;

/** The part of a query that selects entries and does not depend on the format. */
export type LogsPage = Omit<LogsQuery, "format" | "limit" | "texts" | "sort" | "order"> & {
  limit: number;
  texts?: LogsQuery["texts"] | undefined;
} & LogOrder;
