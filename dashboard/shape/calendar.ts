/**
 * Days, weeks and months of the viewer's time zone. By the calendar, because a day may have 23 or 25
 * hours. Pure.
 */
import type { ScopeTime } from "./scope.ts";

const MONDAY = 1;
const WEEK_DAYS = 7;

const shifted = (atMs: number, days: number): number => {
  const date = new Date(atMs);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
};

export const midnight = (atMs: number): number => shifted(atMs, 0);
export const nextDay = (atMs: number): number => shifted(atMs, 1);
export const dayBefore = (atMs: number): number => shifted(atMs, -1);

/** Returns the start of a week, which begins on Monday. */
const weekStart = (atMs: number, weeks: number): number => {
  const sinceMonday = (new Date(atMs).getDay() - MONDAY + WEEK_DAYS) % WEEK_DAYS;
  return shifted(atMs, WEEK_DAYS * weeks - sinceMonday);
};

const monthStart = (atMs: number, months: number): number => {
  const date = new Date(atMs);
  return new Date(date.getFullYear(), date.getMonth() + months, 1).getTime();
};

const since = (fromMs: number): ScopeTime => ({ seconds: null, fromMs, untilMs: null });
const whole = (fromMs: number, untilMs: number): ScopeTime => ({ seconds: null, fromMs, untilMs });

/** The times that have a name, in the order in which they are offered. */
export const CALENDAR_TIMES = {
  Today: (nowMs) => since(midnight(nowMs)),
  Yesterday: (nowMs) => whole(dayBefore(nowMs), midnight(nowMs)),
  "This week": (nowMs) => since(weekStart(nowMs, 0)),
  "Last week": (nowMs) => whole(weekStart(nowMs, -1), weekStart(nowMs, 0)),
  "This month": (nowMs) => since(monthStart(nowMs, 0)),
  "Last month": (nowMs) => whole(monthStart(nowMs, -1), monthStart(nowMs, 0)),
} as const satisfies Record<string, (nowMs: number) => ScopeTime>;
export type CalendarName = keyof typeof CALENDAR_TIMES;

export const CALENDAR_NAMES = Object.keys(CALENDAR_TIMES) as CalendarName[];
