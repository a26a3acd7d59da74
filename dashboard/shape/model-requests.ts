/** The newest requests of a model, counted by what slows it down and by box. Pure. */
import type { LogEntry } from "../../protocol/api/logs.ts";
import { LOAD_MS_MIN } from "../../protocol/load-wait.ts";
import { decodeRate } from "./request-figures.ts";

/** The requests that ran with one context length. */
export type ContextUse = {
  contextLength: number;
  requests: number;
  /** Tokens of the longest prompt; null if none is known. */
  longestPrompt: number | null;
  /** Requests whose prompt did not fit. */
  truncated: number;
};

/** Returns the context lengths of requests whose context is known, the most frequent first. */
export function contextsOf(logs: readonly LogEntry[]): ContextUse[] {
  const known = logs.filter(({ context_length }) => context_length !== null);
  return [...Map.groupBy(known, ({ context_length }) => context_length ?? 0)]
    .map(([contextLength, of]) => ({
      contextLength,
      requests: of.length,
      longestPrompt: largest(of.map(({ prompt_tokens }) => prompt_tokens)),
      truncated: of.filter(({ prompt_truncated }) => prompt_truncated === true).length,
    }))
    .toSorted((a, b) => b.requests - a.requests || b.contextLength - a.contextLength);
}

/** The speed of a model on one box. */
export type BoxSpeed = {
  box: string;
  requests: number;
  failed: number;
  /** Medians; null if unknown. */
  ttftMs: number | null;
  tokensPerSecond: number | null;
  latencyMs: number | null;
};

/** Returns the speed on each box that had requests, the one with the most first. */
export function speedsOf(logs: readonly LogEntry[]): BoxSpeed[] {
  const placed = logs.filter(({ box }) => box !== null);
  return [...Map.groupBy(placed, ({ box }) => box ?? "")]
    .map(([box, of]) => {
      const answered = of.filter(({ status }) => status === "success");
      return {
        box,
        requests: of.length,
        failed: of.filter(({ status }) => status === "error").length,
        ttftMs: medianOf(answered.map(({ ttft_ms }) => ttft_ms)),
        tokensPerSecond: medianOf(answered.map(decodeRate)),
        latencyMs: medianOf(answered.map(({ latency_ms }) => latency_ms)),
      };
    })
    .toSorted((a, b) => b.requests - a.requests || a.box.localeCompare(b.box));
}

/** The requests that waited for the model to load. */
export type AwaitedLoads = { requests: number; medianMs: number | null; longestMs: number | null };

export function awaitedLoads(logs: readonly LogEntry[]): AwaitedLoads {
  const waits = logs.flatMap(({ load_ms }) =>
    load_ms !== null && load_ms > LOAD_MS_MIN ? [load_ms] : [],
  );
  return { requests: waits.length, medianMs: medianOf(waits), longestMs: largest(waits) };
}

function medianOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).toSorted((a, b) => a - b);
  const middle = known.length >> 1;
  const [below = null, above = null] = [known[middle - 1], known[middle]];
  return known.length % 2 === 1 || below === null || above === null ? above : (below + above) / 2;
}

function largest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
