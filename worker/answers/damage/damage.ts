/** Everything about the newest calls that nobody else reports. Pure. */
import type { FinishedCall } from "./calls.ts";
import { type ColdStarts, coldStartsOf, type ExpiredLoad } from "./cold-starts.ts";
import { type Reloading, reloadingOf } from "./reloads.ts";
import { type Slow, slowOf } from "./slow.ts";
import { type Truncated, truncatedOf } from "./truncated.ts";

export type Damage = {
  truncated: Truncated[];
  reloading: Reloading[];
  coldStarts: ColdStarts[];
  slow: Slow[];
};

export const NO_DAMAGE: Damage = { truncated: [], reloading: [], coldStarts: [], slow: [] };

/** Facts about calls before those that are kept. */
export type OlderCalls = {
  /** Rates of tokens, see {@link slowOf}. */
  rates: ReadonlyMap<string, readonly number[]>;
  loads: readonly ExpiredLoad[];
};

export const NO_OLDER_CALLS: OlderCalls = { rates: new Map(), loads: [] };

export const damageOf = (
  calls: readonly FinishedCall[],
  older: OlderCalls,
  nowMs: number,
): Damage => ({
  truncated: truncatedOf(calls, nowMs),
  reloading: reloadingOf(calls, nowMs),
  coldStarts: coldStartsOf(calls, older.loads, nowMs),
  slow: slowOf(calls, older.rates, nowMs),
});
