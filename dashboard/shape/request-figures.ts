/** Figures of one request that follow from its record. Pure. */
import type { LogEntry } from "../../protocol/api/logs.ts";
import { short, UNKNOWN } from "./format.ts";

/** Returns the output tokens per second of decoding; null if unknown. */
export const decodeRate = ({
  completion_tokens,
  decode_ms,
}: Pick<LogEntry, "completion_tokens" | "decode_ms">): number | null =>
  completion_tokens !== null && decode_ms ? (1_000 * completion_tokens) / decode_ms : null;

/** Formats the rate without its unit, for a column that names it. */
export function rateText(entry: Parameters<typeof decodeRate>[0]): string {
  const rate = decodeRate(entry);
  return rate === null ? UNKNOWN : short(rate);
}

/** A response that broke off after its headers has status 200, which would contradict "error". */
export const statusText = ({
  status,
  http_status,
}: Pick<LogEntry, "status" | "http_status">): string =>
  status === "error" && http_status >= 400 ? `error ${http_status}` : status;
