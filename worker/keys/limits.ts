/**
 * The limits of a key, counted: its open calls, and what the calls of a minute, a day and a month are
 * and use. Pure.
 *
 * The use of a call is known when its record is in the ledger. Until then the call reserves what calls of
 * the key have used lately, on average; the first calls, while nothing is known, reserve a tenth of the
 * limit each. A call may begin while used and reserved amounts are below the limit.
 */

import * as z from "zod";
import {
  type KeyLimits,
  LIMIT_PERIODS,
  type LimitPeriod,
  SPENDING,
  type Spending,
} from "../../protocol/api/key-limits.ts";
import { DAY_MS } from "../../protocol/day.ts";
import type { CallUse } from "./call-use.ts";
import {
  endOfWindow,
  isIn,
  type Window,
  Windows,
  windowAt,
  windowsAt,
  withMore,
} from "./limit-windows.ts";

const Amounts = z.partialRecord(z.enum(SPENDING), z.number());

/**
 * A call of the key. `endedMs`: null while it is open. `reserved`: null once its use is known, or if the key
 * does not limit that.
 */
export const CountedCall = z.object({
  atMs: z.number(),
  box: z.string(),
  endedMs: z.number().nullable(),
  reserved: Amounts.nullable(),
});
export type CountedCall = z.infer<typeof CountedCall>;

/** `calls`: by request id. `means`: what a call has used lately; a missing one is unknown. */
export const KeyCount = z.object({
  calls: z.map(z.string(), CountedCall),
  windows: Windows,
  means: Amounts,
});
export type KeyCount = z.infer<typeof KeyCount>;

export const NO_COUNT: KeyCount = { calls: new Map(), windows: {}, means: {} };

/** `resetMs`: when calls are admitted again, in `waitMs`; null if one of the open calls has to end first. */
export type LimitReached = {
  limit: string;
  max: number;
  resetMs: number | null;
  waitMs: number | null;
};

/** A call that is offered. `isResume`: it had a stream before, and may be over. */
export type OfferedCall = { id: string; box: string; isResume: boolean };

/** A call that has ended may move to another box, or attach again for its end, within this. */
const ENDED_KEPT_MS = 60_000;

/** Longer than a month, whose windows then no longer need what a call used. */
const UNSETTLED_KEPT_MS = 32 * DAY_MS;

/** Calls that are remembered: their count is one row of the storage, of at most 2 MB. */
const CALLS_MAX = 1_000;

/** The share of a limit that a call reserves while nothing is known about the key's calls. */
const FIRST_SHARE = 1 / 10;

/** Weight of the newest call in the mean. */
const NEWEST = 1 / 8;

/**
 * Admits a call unless it would exceed a limit, which is `reached` then. The count may change in either case,
 * since a window may begin.
 */
export function admitted(
  before: KeyCount,
  limits: KeyLimits,
  { id, box, isResume }: OfferedCall,
  nowMs: number,
): { count: KeyCount; reached: LimitReached | null } {
  const known = before.calls.get(id);
  if (known !== undefined && (isResume || known.endedMs === null)) {
    const isUnchanged = known.box === box || known.endedMs !== null;
    const count = isUnchanged ? before : withCall(before, id, { ...known, box });
    return { count, reached: null };
  }
  const { parallel } = limits;
  if (parallel !== null && openCalls(before) >= parallel) {
    const reached = { limit: "parallel calls", max: parallel, resetMs: null, waitMs: null };
    return { count: before, reached };
  }
  // It moves to another box, and has been counted.
  if (known !== undefined) {
    const moved = { ...known, box, endedMs: null };
    return { count: withCall(before, id, moved), reached: null };
  }
  const windows = windowsAt(before.windows, nowMs);
  const count = windows === before.windows ? before : { ...before, windows };
  const reached = reachedBy(count, limits, nowMs);
  if (reached !== null) return { count, reached };
  const reserved = reservedBy(count, limits);
  const call = { atMs: nowMs, box, endedMs: null, reserved };
  const rest = pruned(count, nowMs);
  const counting = { ...rest, windows: withMore(rest.windows, nowMs, { requests: 1 }) };
  return { count: withCall(counting, id, call), reached: null };
}

/** A call is over at this box; null for any. It stays known for a while. */
export function endOfCall(
  count: KeyCount,
  id: string,
  box: string | null,
  nowMs: number,
): KeyCount {
  const call = count.calls.get(id);
  if (call === undefined || call.endedMs !== null) return count;
  if (box !== null && call.box !== box) return count;
  return withCall(count, id, { ...call, endedMs: nowMs });
}

/** The record of a call is known. Counts once. */
export function settled(count: KeyCount, id: string, use: CallUse): KeyCount {
  const call = count.calls.get(id);
  if (call === undefined || call.reserved === null) return count;
  const amounts: Partial<Record<Spending, number>> = {};
  const means = { ...count.means };
  for (const unit of SPENDING) {
    const { known, isWhole } = use[unit];
    // An amount that is unknown counts as the one that was expected.
    amounts[unit] = isWhole ? known : Math.max(known, call.reserved[unit] ?? means[unit] ?? 0);
    if (!isWhole || known === 0) continue;
    const mean = means[unit];
    means[unit] = mean === undefined ? known : mean + NEWEST * (known - mean);
  }
  const windows = withMore(count.windows, call.atMs, amounts);
  return withCall({ ...count, windows, means }, id, { ...call, reserved: null });
}

/** Returns the open calls of each box. */
export const openByBox = ({ calls }: KeyCount): Map<string, string[]> =>
  new Map(
    [...Map.groupBy([...calls].filter(isOpen), ([, { box }]) => box)].map(([box, entries]) => [
      box,
      entries.map(([id]) => id),
    ]),
  );

/** Returns the calls that ended this long ago, or by a clock that was ahead, and whose use is not known. */
export const unsettled = ({ calls }: KeyCount, agoMs: number, nowMs: number): string[] =>
  [...calls].flatMap(([id, { endedMs, reserved }]) => {
    if (endedMs === null || reserved === null) return [];
    return nowMs - endedMs >= agoMs || endedMs > nowMs ? [id] : [];
  });

/** Returns what the calls of a window without a record are expected to use. */
export function reservedIn(
  { calls }: KeyCount,
  unit: Spending,
  period: LimitPeriod,
  window: Window,
): number {
  let sum = 0;
  for (const { atMs, reserved } of calls.values())
    if (reserved !== null && isIn(window, period, atMs)) sum += reserved[unit] ?? 0;
  return sum;
}

export function openCalls({ calls }: KeyCount): number {
  let open = 0;
  for (const { endedMs } of calls.values()) if (endedMs === null) open++;
  return open;
}

const isOpen = ([, { endedMs }]: [string, CountedCall]): boolean => endedMs === null;

function reachedBy(
  count: KeyCount,
  { requests, ...limits }: KeyLimits,
  nowMs: number,
): LimitReached | null {
  for (const period of LIMIT_PERIODS) {
    const window = windowAt(count.windows[period] ?? [], period, nowMs);
    const resetMs = endOfWindow(period, window.startMs);
    const atReset = { resetMs, waitMs: resetMs - nowMs };
    const most = requests?.[period] ?? null;
    if (most !== null && window.requests >= most)
      return { limit: `requests per ${period}`, max: most, ...atReset };
    for (const unit of SPENDING) {
      const max = limits[unit]?.[period] ?? null;
      if (max === null) continue;
      const limit = `${LIMIT_NAMES[unit]} per ${period}`;
      if (isReached(window[unit], max)) return { limit, max, ...atReset };
      if (isReached(window[unit] + reservedIn(count, unit, period, window), max))
        return { limit, max, resetMs: null, waitMs: null };
    }
  }
  return null;
}

/** Sums of fractions are not exact. */
const isReached = (sum: number, max: number): boolean => sum >= max * (1 - 1e-9);

const LIMIT_NAMES: Record<Spending, string> = { tokens: "tokens", wh: "Wh", money: "money" };

/** Null if the key does not limit what calls use. */
function reservedBy({ means }: KeyCount, limits: KeyLimits): CountedCall["reserved"] {
  const reserved: NonNullable<CountedCall["reserved"]> = {};
  for (const unit of SPENDING) {
    const max = Math.min(...Object.values(limits[unit] ?? {}));
    if (Number.isFinite(max)) reserved[unit] = means[unit] ?? max * FIRST_SHARE;
  }
  return Object.keys(reserved).length === 0 ? null : reserved;
}

const withCall = (count: KeyCount, id: string, call: CountedCall): KeyCount => ({
  ...count,
  calls: new Map(count.calls).set(id, call),
});

/** Forgets calls that ended long ago, and the oldest of too many. If they have no record, their reservation counts. */
function pruned(count: KeyCount, nowMs: number): KeyCount {
  const over = [...count.calls].filter((entry) => !isOpen(entry));
  const isForgotten = ({ endedMs, reserved }: CountedCall): boolean =>
    nowMs - (endedMs ?? nowMs) > (reserved === null ? ENDED_KEPT_MS : UNSETTLED_KEPT_MS);
  const tooMany = over.slice(0, Math.max(0, count.calls.size - CALLS_MAX));
  const forgotten = new Set(
    [...over.filter(([, call]) => isForgotten(call)), ...tooMany].map(([id]) => id),
  );
  if (forgotten.size === 0) return count;
  let rest = count;
  for (const id of forgotten) rest = settled(rest, id, UNKNOWN_USE);
  const kept = [...rest.calls].filter(([id]) => !forgotten.has(id));
  return { ...rest, calls: new Map(kept) };
}

const UNKNOWN = { known: 0, isWhole: false };
const UNKNOWN_USE: CallUse = { tokens: UNKNOWN, wh: UNKNOWN, money: UNKNOWN };
