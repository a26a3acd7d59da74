/** When the weekly summary of a target is due. Pure. */
import { WEEKDAYS, type WeeklyTime } from "../../protocol/api/notifications.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { localDay, startOfHour } from "../answers/local-time.ts";
import type { MessageTarget } from "./target.ts";

export const WEEK_MS = 7 * DAY_MS;

/** Returns the last time of a week that is not after `nowMs`, unix ms. */
export function lastTimeOf({ day, hour, time_zone }: WeeklyTime, nowMs: number): number {
  // Eight days, since today may be the day and the hour still ahead.
  for (let days = 0; days <= 7; days++) {
    const date = localDay(nowMs - days * DAY_MS, time_zone);
    const atMs = startOfHour(date, hour, time_zone);
    if (weekdayOf(date) === day && atMs <= nowMs) return atMs;
  }
  return nowMs - WEEK_MS;
}

/** Returns the time whose summary a target still has to get, unix ms; null if it has the last one. */
export function missedSummaryMs(
  { weekly, summary_ms, created_at_ms }: MessageTarget,
  nowMs: number,
): number | null {
  if (weekly === null) return null;
  const lastMs = lastTimeOf(weekly, nowMs);
  return lastMs > Math.max(summary_ms ?? 0, created_at_ms) ? lastMs : null;
}

/** Returns when the next summary of a target is due, unix ms; null if it wants none. */
export function nextSummaryMs(target: MessageTarget, nowMs: number): number | null {
  const { weekly } = target;
  if (weekly === null) return null;
  const missedMs = missedSummaryMs(target, nowMs);
  if (missedMs !== null) return missedMs;
  // A week with a change of the clocks is an hour longer or shorter.
  const lastMs = lastTimeOf(weekly, nowMs);
  return lastTimeOf(weekly, lastMs + WEEK_MS + 2 * 3_600_000);
}

const weekdayOf = (date: string) => WEEKDAYS[(new Date(`${date}T12:00:00Z`).getUTCDay() + 6) % 7];
