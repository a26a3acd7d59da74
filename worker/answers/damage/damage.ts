/** Everything about the newest calls that nobody else reports. Pure. */
import type { FinishedCall } from "./calls.ts";
import { type ColdStarts, coldStartsOf } from "./cold-starts.ts";
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

/** @param older  see {@link slowOf} */
export const damageOf = (
  calls: readonly FinishedCall[],
  older: ReadonlyMap<string, readonly number[]>,
  nowMs: number,
): Damage => ({
  truncated: truncatedOf(calls, nowMs),
  reloading: reloadingOf(calls, nowMs),
  coldStarts: coldStartsOf(calls, nowMs),
  slow: slowOf(calls, older, nowMs),
});
