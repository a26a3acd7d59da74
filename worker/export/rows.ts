/**
 * Rows: what both stores keep of a finished request, and of a GPU and a machine at one moment.
 *
 * One shape for both, with their own names for its times where the seed names them. Text is cleaned
 * of what a store refuses (Postgres no NUL, neither of them half a surrogate pair), so that one
 * caller's prompt can never hold up everybody's records.
 */

import { PROMPT_CHARS_MAX, RESPONSE_CHARS_MAX } from "../../protocol/limits.ts";
import {
  cut,
  type GpuSample,
  type RequestRecord,
  type SystemSample,
  tokensUsed,
} from "../../protocol/records.ts";
import { isInference } from "../../protocol/routes.ts";

export type RequestRow = Omit<RequestRecord, "started_at"> & {
  started_at: string;
  finished_at: string;
  /** Whether it counts into latency, TTFT and token figures. */
  is_inference: boolean;
  /** Prompt and completion tokens; null when Ollama said neither. */
  tokens_used: number | null;
};

export type GpuRow = Omit<GpuSample, "at" | "throttle_reasons"> & {
  sampled_at: string;
  /** Separated by commas; empty when nothing throttles, null when that is not known. */
  throttle_reasons: string | null;
};

export type SystemRow = Omit<SystemSample, "at"> & { sampled_at: string; box: string };

/** By the table that they go to; of requests, Postgres calls it `request_logs`. */
export type RowOf = { requests: RequestRow; gpu_samples: GpuRow; system_samples: SystemRow };
export type Kind = keyof RowOf;
export type AnyRow = RowOf[Kind];
export type Rows = { [Name in Kind]: { kind: Name; rows: RowOf[Name][] } }[Kind];

/** Room for the mark that the agent put where it cut a text. */
const MARK_CHARS = 64;
/** Names, errors, addresses: far beyond what a record may hold. */
const TEXT_CHARS_MAX = 4_000;
const CHARS_MAX: Record<string, number> = {
  prompt: PROMPT_CHARS_MAX + MARK_CHARS,
  response: RESPONSE_CHARS_MAX + MARK_CHARS,
};

export function requestRow(record: RequestRecord, finishedMs: number): RequestRow {
  return cleaned({
    ...record,
    finished_at: new Date(finishedMs).toISOString(),
    is_inference: isInference(record.endpoint),
    tokens_used: tokensUsed(record),
  });
}

export const gpuRow = ({ at, throttle_reasons, ...rest }: GpuSample): GpuRow =>
  cleaned({ ...rest, sampled_at: at, throttle_reasons: throttle_reasons?.join(",") ?? null });

export const systemRow = (box: string, { at, ...rest }: SystemSample): SystemRow =>
  cleaned({ ...rest, sampled_at: at, box });

/** Its texts without what a store refuses, and not too long: cut, and marked as cut. */
function cleaned<Row extends object>(row: Row): Row {
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === "string" ? cut(wellFormed(value), CHARS_MAX[name] ?? TEXT_CHARS_MAX) : value,
  ]);
  return Object.fromEntries(entries) as Row;
}

/** U+FFFD is what readers of such text show anyway. */
export const wellFormed = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD");
