/** The part of its limits that a key has left. Pure. */
import {
  type KeyLimits,
  LIMIT_PERIODS,
  type LimitLeft,
  type LimitsLeft,
  SPENDING,
} from "../../protocol/api/key-limits.ts";
import { endOfWindow, windowAt } from "./limit-windows.ts";
import { type KeyCount, openCalls, reservedIn } from "./limits.ts";

export function leftOf(count: KeyCount, limits: KeyLimits, nowMs: number): LimitsLeft {
  const left: LimitsLeft = {};
  if (limits.parallel !== null)
    left.parallel = { now: leftIn(limits.parallel, openCalls(count), 0, null) };
  for (const limit of ["requests", ...SPENDING] as const)
    for (const period of LIMIT_PERIODS) {
      const max = limits[limit]?.[period];
      if (max === undefined) continue;
      const window = windowAt(count.windows[period] ?? [], period, nowMs);
      const reserved = limit === "requests" ? 0 : reservedIn(count, limit, period, window);
      const resetMs = endOfWindow(period, window.startMs);
      left[limit] = { ...left[limit], [period]: leftIn(max, window[limit], reserved, resetMs) };
    }
  return left;
}

const leftIn = (
  limit: number,
  used: number,
  reserved: number,
  resetMs: number | null,
): LimitLeft => ({
  limit,
  used,
  reserved,
  remaining: Math.max(0, limit - used - reserved),
  resets_at: resetMs === null ? null : new Date(resetMs).toISOString(),
});
