/** The text of the time of a scope, in the bar above the page. Pure. */
import { CALENDAR_NAMES, CALENDAR_TIMES, midnight, nextDay } from "./calendar.ts";
import { duration, moment } from "./format.ts";
import { RANGE_NAMES, RANGES } from "./history.ts";
import { type Comparison, type ScopeTime, secondsOf } from "./scope.ts";

export const COMPARISON_NAMES: Record<Comparison, string> = {
  previous: "the period before",
  week: "a week before",
};

const isSame = (one: ScopeTime, other: ScopeTime): boolean =>
  one.seconds === other.seconds && one.fromMs === other.fromMs && one.untilMs === other.untilMs;

const isAnyTime = ({ seconds, fromMs, untilMs }: ScopeTime): boolean =>
  seconds === null && fromMs === null && untilMs === null;

/** Returns the time that a page shows: its usual one, unless one is chosen. */
export const timeShown = (time: ScopeTime, usual: ScopeTime): ScopeTime =>
  isAnyTime(time) ? usual : time;

export function timeText(time: ScopeTime, nowMs: number): string {
  if (isAnyTime(time)) return "Any time";
  const named = CALENDAR_NAMES.find((name) => isSame(CALENDAR_TIMES[name](nowMs), time));
  if (named !== undefined) return named;
  const { seconds, fromMs, untilMs } = time;
  if (untilMs === null)
    return fromMs === null ? lengthText(seconds ?? 0) : `Since ${pointText(fromMs, nowMs)}`;
  if (fromMs === null && seconds === null) return `Until ${pointText(untilMs, nowMs)}`;
  const beginMs = fromMs ?? untilMs - 1_000 * (seconds ?? 0);
  if (midnight(beginMs) === beginMs && midnight(untilMs) === untilMs)
    return daysText(beginMs, untilMs, nowMs);
  // The day is not repeated.
  const end =
    midnight(beginMs) === midnight(untilMs)
      ? pointText(untilMs, untilMs)
      : pointText(untilMs, nowMs);
  return `${pointText(beginMs, nowMs)} \u2013 ${end}`;
}

function lengthText(seconds: number): string {
  const range = RANGES.find((each) => secondsOf(each) === seconds);
  return `Last ${range === undefined ? duration(1_000 * seconds) : RANGE_NAMES[range]}`;
}

/** Leaves out seconds of 0. */
function pointText(atMs: number, nowMs: number): string {
  if (midnight(atMs) === atMs && atMs !== midnight(nowMs)) return dayText(atMs, nowMs);
  const text = moment(new Date(atMs).toISOString(), nowMs);
  return Math.floor(atMs / 1_000) % 60 === 0 ? text.slice(0, -3) : text;
}

function daysText(fromMs: number, untilMs: number, nowMs: number): string {
  const lastMs = midnight(untilMs - 1);
  return nextDay(fromMs) >= untilMs
    ? dayText(fromMs, nowMs)
    : `${dayText(fromMs, nowMs)} \u2013 ${dayText(lastMs, nowMs)}`;
}

const dayText = (atMs: number, nowMs: number): string => {
  const date = new Date(atMs);
  const isThisYear = date.getFullYear() === new Date(nowMs).getFullYear();
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    ...(!isThisYear && { year: "numeric" }),
  });
};
