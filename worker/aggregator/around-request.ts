/** Reads what happened around a finished request, for the sentence that explains its time. */
import type { LogEntry } from "../../protocol/api/logs.ts";
import { withTag } from "../../protocol/inventory.ts";
import type { Around } from "../answers/explanation.ts";
import { sumOf } from "../counting/cell.ts";
import { shortName } from "../counting/model-key.ts";
import type { AggregatorStores } from "./stores.ts";

/** With fewer requests of a model, a rank is chance. */
const REQUESTS_MIN = 20;
const EVENTS_MAX = 100;

/** The part of a finished request that is needed for it. */
export type Explained = Pick<
  LogEntry,
  "id" | "timestamp" | "box" | "model" | "latency_ms" | "status" | "prompt_tokens" | "prefill_ms"
>;

export function aroundRequest(
  { intake, events, recentCalls }: AggregatorStores,
  entry: Explained,
): Around {
  const { box, model, timestamp, latency_ms, prompt_tokens, prefill_ms } = entry;
  const startMs = Date.parse(timestamp);
  const until = new Date(startMs + latency_ms + 1).toISOString();
  const found = events.list({ since: timestamp, until, limit: EVENTS_MAX }, Date.now()).events;
  return {
    slowerThan:
      model === null || entry.status !== "success" ? null : rankOf(intake, model, latency_ms),
    events: found.map(({ kind, at, ...of }) => ({ kind, ...of, atMs: Date.parse(at) })),
    ...(box === null || model === null
      ? { beside: null, usedMs: null, tokensPerSecond: null, cachedTokens: null }
      : recentCalls.around({
          box,
          model: withTag(model),
          startMs,
          prompt_tokens,
          prefill_ms,
        })),
  };
}

function rankOf(
  intake: AggregatorStores["intake"],
  model: string,
  latencyMs: number,
): number | null {
  const name = shortName(model);
  const cells = intake.lifetime().filter((keyed) => keyed.model === name);
  const { latency } = sumOf(cells.map(({ cell }) => cell));
  return latency.count < REQUESTS_MIN ? null : latency.partBelow(latencyMs);
}
