/**
 * The limits of a key, counted: open calls, and the calls of a minute, a day and a month. Pure.
 *
 * Windows begin with the minute, the day and the month of UTC, by the clock of the one object that
 * counts. A clock that is set back reopens no window.
 */
import * as z from "zod";
import { type KeyLimits, LIMIT_PERIODS, type LimitPeriod } from "../../protocol/api/keys.ts";

const Window = z.object({ startMs: z.number(), count: z.number() });

/** `open`: the calls that count as open, by request id, with the time of their admission. */
export const KeyCount = z.object({
  open: z.record(z.string(), z.number()),
  windows: z.partialRecord(z.enum(LIMIT_PERIODS), Window),
});
export type KeyCount = z.infer<typeof KeyCount>;

export const NO_COUNT: KeyCount = { open: {}, windows: {} };

/** `resetMs`: when calls are admitted again, in `waitMs`; null if one of the open calls has to end first. */
export type LimitReached = {
  limit: string;
  max: number;
  resetMs: number | null;
  waitMs: number | null;
};

/** Admits a call, or returns the limit that it would exceed. */
export function admitted(
  before: KeyCount,
  limits: KeyLimits,
  id: string,
  nowMs: number,
): { count: KeyCount } | { reached: LimitReached } {
  const { parallel, requests } = limits;
  if (id in before.open) return { count: before };
  if (parallel !== null && Object.keys(before.open).length >= parallel)
    return { reached: { limit: "parallel calls", max: parallel, resetMs: null, waitMs: null } };
  const windows: KeyCount["windows"] = {};
  for (const period of LIMIT_PERIODS) {
    const known = before.windows[period];
    const startMs = Math.max(startOf(period, nowMs), known?.startMs ?? 0);
    const used = known?.startMs === startMs ? known.count : 0;
    const max = requests?.[period] ?? null;
    if (max !== null && used >= max) {
      const resetMs = endOfWindow(period, startMs);
      return {
        reached: { limit: `requests per ${period}`, max, resetMs, waitMs: resetMs - nowMs },
      };
    }
    windows[period] = { startMs, count: used + 1 };
  }
  return { count: { open: { ...before.open, [id]: nowMs }, windows } };
}

/** A call is over. */
export function released({ open, windows }: KeyCount, id: string): KeyCount {
  const { [id]: _, ...rest } = open;
  return { open: rest, windows };
}

function startOf(period: LimitPeriod, ms: number): number {
  const date = new Date(ms);
  if (period === "minute") return date.setUTCSeconds(0, 0);
  if (period === "month") date.setUTCDate(1);
  return date.setUTCHours(0, 0, 0, 0);
}

function endOfWindow(period: LimitPeriod, startMs: number): number {
  const date = new Date(startMs);
  if (period === "minute") return startMs + 60_000;
  if (period === "day") return startMs + 86_400_000;
  return date.setUTCMonth(date.getUTCMonth() + 1);
}
