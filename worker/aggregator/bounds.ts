/**
 * The most that each figure of an agent can be, given what the edge knows. Pure.
 *
 * Only the agent can measure these, so a wrong figure cannot be corrected. One beyond its bound becomes
 * null. `latency_ms` and `resumed` cannot be null and become the bound. Lengths of texts are part of the
 * shape of a record.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import { TOKENS_MAX } from "../counting/cell.ts";

/**
 * Clocks of the edge's machines may differ, and a record may be reported before its last byte is
 * noted.
 */
const SLACK_MS = 5_000;

/**
 * More than any GPU makes for one request. The first thousand are free: answers may take no time.
 */
const TOKENS_PER_MS = 1_000;
const TOKENS_FREE = 1_000;

/** A box with sixteen of the largest GPUs. Used if the limit of a GPU is unknown. */
const WATTS_MAX = 16 * 2_000;

/** GPUs exceed their limit for moments, and are read once a second. */
const POWER_EXCESS = 1.5;
const READING_MS = 2_000;

/** Redials of a tunnel are further apart. */
const RESUMES_PER_MS = 1 / 20;

/** The time and the power of a request, as far as the edge knows them. */
export type RequestLimits = {
  /** From acceptance until the record arrived, ms. */
  ageMs: number;
  /** Sum of the power limits of the box's GPUs; null if unknown. */
  powerLimitW: number | null;
};

/** `openMs`: the longest that the request can have been open. */
type Limits = { openMs: number; watts: number };

type Figure =
  | "edge_ms"
  | "tunnel_ms"
  | "ttft_ms"
  | "queue_ms"
  | "load_ms"
  | "prefill_ms"
  | "decode_ms"
  | "prompt_tokens"
  | "completion_tokens"
  | "energy_j";

const ofTime = ({ openMs }: Limits): number => openMs;

export const MOST: Record<Figure, (limits: Limits) => number> = {
  edge_ms: ofTime,
  tunnel_ms: ofTime,
  ttft_ms: ofTime,
  queue_ms: ofTime,
  load_ms: ofTime,
  prefill_ms: ofTime,
  decode_ms: ofTime,
  prompt_tokens: () => TOKENS_MAX,
  completion_tokens: ({ openMs }) => Math.min(TOKENS_MAX, TOKENS_FREE + openMs * TOKENS_PER_MS),
  energy_j: ({ openMs, watts }) => (watts * (openMs + READING_MS)) / 1_000,
};

const FIGURES = Object.keys(MOST) as Figure[];

/** Returns the record without figures that cannot be true, and their names. */
export function bounded<Reported extends RequestRecord>(
  record: Reported,
  { ageMs, powerLimitW }: RequestLimits,
): { record: Reported; impossible: string[] } {
  const possible = { ...record };
  const impossible: string[] = [];
  const age = Math.max(0, ageMs) + SLACK_MS;
  possible.latency_ms = Math.min(record.latency_ms, age);
  if (possible.latency_ms < record.latency_ms) impossible.push("latency_ms");
  // Ollama may work on for a caller that has left, but not after the last byte of a whole answer.
  const openMs = record.status === "success" ? Math.min(age, possible.latency_ms + SLACK_MS) : age;
  const watts = powerLimitW === null ? WATTS_MAX : Math.min(WATTS_MAX, powerLimitW * POWER_EXCESS);
  for (const figure of FIGURES) {
    const value = record[figure];
    if (value === null || value <= MOST[figure]({ openMs, watts })) continue;
    possible[figure] = null;
    impossible.push(figure);
  }
  if (possible.energy_j === null) possible.energy_method = null;
  const resumesMax = Math.ceil(openMs * RESUMES_PER_MS);
  if (record.resumed > resumesMax) {
    possible.resumed = resumesMax;
    impossible.push("resumed");
  }
  return { record: possible, impossible };
}
