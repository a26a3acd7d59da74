/** Figures of one request that follow from its record. Pure. */
import type { LogEntry } from "../../protocol/api/logs.ts";

/** Returns the output tokens per second of decoding; null if unknown. */
export const decodeRate = ({
  completion_tokens,
  decode_ms,
}: Pick<LogEntry, "completion_tokens" | "decode_ms">): number | null =>
  completion_tokens !== null && decode_ms ? (1_000 * completion_tokens) / decode_ms : null;

/** A response that broke off after its headers has status 200, which would contradict "error". */
export const statusText = ({
  status,
  http_status,
}: Pick<LogEntry, "status" | "http_status">): string =>
  status === "error" && http_status >= 400 ? `error ${http_status}` : status;
