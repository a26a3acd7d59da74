/** A page of the logs that was read from an external store, in the shape of the API. */
import {
  type LogEntry,
  type Logs,
  type LogsPage,
  SHORT_TEXT_CHARS,
} from "../../protocol/api/logs.ts";
import type { StoreName } from "../../protocol/stores.ts";

/** @param entries  one more than the page holds if a next page exists */
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
