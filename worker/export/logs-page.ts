/** A page of logs as a store reads it, in the shape of the API. */
import {
  type LogEntry,
  type Logs,
  type LogsPage,
  SHORT_TEXT_CHARS,
} from "../../protocol/api/stats.ts";
import type { StoreName } from "./external-store.ts";

/** Columns that both stores and the API name alike. */
export const LOG_COLUMNS = [
  "box",
  "model",
  "endpoint",
  "api",
  "stream",
  "status",
  "http_status",
  "failed_at",
  "error_message",
  "prompt",
  "response",
  "prompt_tokens",
  "completion_tokens",
  "latency_ms",
  "edge_ms",
  "tunnel_ms",
  "ttft_ms",
  "queue_ms",
  "load_ms",
  "prefill_ms",
  "decode_ms",
  "done_reason",
  "key_id",
  "client_ip",
  "user_agent",
  "energy_j",
  "resumed",
  "tokens_used",
] as const satisfies (keyof LogEntry)[];

/** @param entries one more than the page, when there is a next one. */
export function pageOf(
  store: StoreName,
  entries: LogEntry[],
  total: number,
  { limit, offset = 0, cursor, texts }: LogsPage,
): Logs {
  const hasMore = entries.length > limit;
  const logs = entries
    .slice(0, limit)
    .map((entry) => (texts === "short" ? shortened(entry) : entry));
  return {
    store,
    logs,
    total,
    limit,
    offset,
    next: hasMore && cursor === undefined ? offset + logs.length : null,
    next_cursor: hasMore ? (logs.at(-1)?.id ?? null) : null,
  };
}

const shortened = (entry: LogEntry): LogEntry => ({
  ...entry,
  prompt: shortText(entry.prompt),
  response: shortText(entry.response),
});

const shortText = (text: string | null): string | null =>
  text === null || text.length <= SHORT_TEXT_CHARS
    ? text
    : `${text.slice(0, SHORT_TEXT_CHARS).toWellFormed()}…`;
