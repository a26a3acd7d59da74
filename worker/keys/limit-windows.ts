/**
 * The minutes, days and months in which the calls of a key are counted. Pure.
 *
 * Windows begin with those of UTC, by the clock of the one object that counts. A clock that jumps and
 * comes back finds its windows again. One that is set back to before them opens none: the earlier window
 * begins with the count of the last one.
 */

import * as z from "zod";
import { LIMIT_PERIODS, type LimitPeriod } from "../../protocol/api/key-limits.ts";
import { DAY_MS } from "../../protocol/day.ts";

/** `requests` began in it. The rest is what calls that began in it have used. */
export const Window = z.object({
  startMs: z.number(),
  requests: z.number(),
  tokens: z.number(),
  wh: z.number(),
  money: z.number(),
});
export type Window = z.infer<typeof Window>;

/** Calls that began in the last minute or day are still settled, and a clock may jump. */
const WINDOWS_MAX = 6;

/** Returns the window of a time. @param known  the windows of one period, last used last */
export function windowAt(known: readonly Window[], period: LimitPeriod, ms: number): Window {
  const startMs = startOf(period, ms);
  const last = known.at(-1);
  const found = known.find((window) => window.startMs === startMs);
  if (found !== undefined) return found;
  if (last !== undefined && startMs < last.startMs) return { ...last, startMs };
  return { startMs, requests: 0, tokens: 0, wh: 0, money: 0 };
}

/** The windows of each period, last used last. */
export const Windows = z.partialRecord(z.enum(LIMIT_PERIODS), z.array(Window));
export type Windows = z.infer<typeof Windows>;

/** Returns the windows with those of a time as the last used ones. */
export function windowsAt(windows: Windows, ms: number): Windows {
  let current = windows;
  for (const period of LIMIT_PERIODS) {
    const known = windows[period] ?? [];
    const window = windowAt(known, period, ms);
    if (window === known.at(-1)) continue;
    const others = known.filter(({ startMs }) => startMs !== window.startMs);
    current = { ...current, [period]: [...others, window].slice(-WINDOWS_MAX) };
  }
  return current;
}

/** Returns the windows of a time with more in them. Windows that are no longer known stay so. */
export function withMore(windows: Windows, ms: number, more: Partial<Window>): Windows {
  const added: Windows = {};
  for (const period of LIMIT_PERIODS)
    added[period] = (windows[period] ?? []).map((window) =>
      isIn(window, period, ms)
        ? {
            startMs: window.startMs,
            requests: window.requests + (more.requests ?? 0),
            tokens: window.tokens + (more.tokens ?? 0),
            wh: window.wh + (more.wh ?? 0),
            money: window.money + (more.money ?? 0),
          }
        : window,
    );
  return added;
}

export const isIn = ({ startMs }: Window, period: LimitPeriod, ms: number): boolean =>
  startMs <= ms && ms < endOfWindow(period, startMs);

function startOf(period: LimitPeriod, ms: number): number {
  const date = new Date(ms);
  if (period === "minute") return date.setUTCSeconds(0, 0);
  if (period === "month") date.setUTCDate(1);
  return date.setUTCHours(0, 0, 0, 0);
}

export function endOfWindow(period: LimitPeriod, startMs: number): number {
  const date = new Date(startMs);
  if (period === "minute") return startMs + 60_000;
  if (period === "day") return startMs + DAY_MS;
  return date.setUTCMonth(date.getUTCMonth() + 1);
}
