/**
 * A finished request as spans: one for the request, and below it one for each phase that is known. Pure.
 *
 * All ids follow from the request id, so a repeated delivery has the same ones. The names are those of the
 * semantic conventions for generative AI and HTTP; ours begin with `ollama_edge.`. Texts are never sent.
 *
 * @see https://github.com/open-telemetry/semantic-conventions-genai
 */
import type { StoredRequest } from "../../../protocol/columns.ts";
import { isInference, makesVectors } from "../../../protocol/routes.ts";
import { type Attribute, attributesOf, integer, nanosOf } from "./data.ts";

/** `SpanKind`: the edge answers callers, whose own spans are of kind client. */
const INTERNAL = 1;
const SERVER = 2;
/** `StatusCode`. */
const ERROR = 2;

export type OtlpSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status?: { code: number };
};

export function spansOf(row: StoredRequest): OtlpSpan[] {
  const { traceId, spanId } = idsOf(row.request_id);
  const startMs = Date.parse(row.started_at);
  const times = (fromMs: number, toMs: number) => ({
    startTimeUnixNano: nanosOf(startMs, fromMs),
    endTimeUnixNano: nanosOf(startMs, toMs),
  });
  const request: OtlpSpan = {
    traceId,
    spanId,
    name: nameOf(row),
    kind: SERVER,
    ...times(0, row.latency_ms),
    attributes: requestAttributes(row),
    ...(row.status === "error" ? { status: { code: ERROR } } : {}),
  };
  const phases = phasesOf(row).map(
    ({ name, fromMs, toMs }, index): OtlpSpan => ({
      traceId,
      spanId: childId(spanId, index),
      parentSpanId: spanId,
      name,
      kind: INTERNAL,
      ...times(fromMs, toMs),
      attributes: [],
    }),
  );
  return [request, ...phases];
}

/**
 * Returns the ids of a request. The end of a UUID of version 7 is random, and begins with a digit from 8
 * to b.
 */
export function idsOf(requestId: string): { traceId: string; spanId: string } {
  const traceId = requestId.replaceAll("-", "").toLowerCase();
  return { traceId, spanId: traceId.slice(16) };
}

/** Returns the id of a phase: that of the request with another first digit, from 1 to 7. */
const childId = (spanId: string, index: number): string => `${index + 1}${spanId.slice(1)}`;

type Phase = { name: string; fromMs: number; toMs: number };

/**
 * Lays the known phases end to end, as the page does. Only their lengths are measured. They never exceed
 * the request: clocks differ slightly, and the tunnel may have been faster than its last heartbeat.
 */
function phasesOf(row: StoredRequest): Phase[] {
  const measured: [name: string, ms: number | null][] = [
    ["edge", row.edge_ms],
    ["tunnel", row.tunnel_ms],
    ["queue", row.queue_ms],
    ["load", row.load_ms],
    ["prefill", row.prefill_ms],
    ["decode", row.decode_ms],
  ];
  const known = measured.flatMap(([name, ms]) => (ms === null || ms <= 0 ? [] : [{ name, ms }]));
  const sum = known.reduce((total, { ms }) => total + ms, 0);
  const scale = sum > row.latency_ms ? row.latency_ms / sum : 1;
  let fromMs = 0;
  return known.map(({ name, ms }) => {
    const phase = { name, fromMs, toMs: Math.min(row.latency_ms, fromMs + ms * scale) };
    fromMs = phase.toMs;
    return phase;
  });
}

const CHATS = new Set(["/api/chat", "/v1/chat/completions", "/v1/messages", "/v1/responses"]);
const COMPLETIONS = new Set(["/api/generate", "/v1/completions"]);

/** Returns the operation by its name in the conventions; null if no model worked. */
function operationOf(endpoint: string): string | null {
  if (!isInference(endpoint)) return null;
  if (makesVectors(endpoint)) return "embeddings";
  if (CHATS.has(endpoint)) return "chat";
  return COMPLETIONS.has(endpoint) ? "text_completion" : "generate_content";
}

function nameOf({ endpoint, model }: StoredRequest): string {
  const operation = operationOf(endpoint);
  return operation === null || model === null ? endpoint : `${operation} ${model}`;
}

function requestAttributes(row: StoredRequest): Attribute[] {
  const operation = operationOf(row.endpoint);
  return attributesOf({
    "http.route": row.endpoint,
    "http.response.status_code": integer(row.http_status),
    "error.type": row.status === "error" ? errorTypeOf(row) : null,
    "client.address": row.client_ip,
    "user_agent.original": row.user_agent,
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": operation === null ? null : "ollama",
    "gen_ai.request.model": row.model,
    "gen_ai.request.stream": operation === null ? null : row.stream,
    "gen_ai.response.finish_reasons": row.done_reason === null ? null : [row.done_reason],
    "gen_ai.usage.input_tokens": integer(row.prompt_tokens),
    "gen_ai.usage.output_tokens": integer(row.completion_tokens),
    "gen_ai.conversation.id": row.session_id,
    "ollama_edge.end_user": row.end_user,
    "ollama_edge.request.id": row.request_id,
    "ollama_edge.status": row.status,
    "ollama_edge.failed_at": row.failed_at,
    "ollama_edge.box": row.box,
    "ollama_edge.api": row.api,
    "ollama_edge.source": row.source,
    "ollama_edge.simulated": row.simulated,
    "ollama_edge.route.reason": row.route_reason,
    "ollama_edge.route.attempts": integer(row.attempts),
    "ollama_edge.route.moved_from": row.moved_from,
    "ollama_edge.tunnel.resumed": integer(row.resumed),
    "ollama_edge.key.id": row.key_id,
    "ollama_edge.key.name": row.key_name,
    "ollama_edge.time_to_first_token": row.ttft_ms === null ? null : row.ttft_ms / 1_000,
    "ollama_edge.phases.source": row.phases_source,
    "ollama_edge.energy": row.energy_j,
    "ollama_edge.cost": row.cost,
    "ollama_edge.cost.currency": row.cost_currency,
    "ollama_edge.co2": row.co2_g,
  });
}

/** Names the failure: its status, or the part that failed after the answer had begun. */
const errorTypeOf = ({ http_status, failed_at }: StoredRequest): string =>
  http_status >= 400 ? String(http_status) : (failed_at ?? "_OTHER");
