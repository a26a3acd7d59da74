/**
 * Reads a time that a person typed: `90 min`, `15:09 - 15:17`, `27 Nov 15:09 - 16:00`, `last week`.
 * Clock times and days are those of the viewer's time zone. Pure.
 */
import { CALENDAR_NAMES, CALENDAR_TIMES, dayBefore, midnight, nextDay } from "./calendar.ts";
import { type ScopeTime, secondsOf } from "./scope.ts";

/** The whole word, since "30 december" is a day. */
const LENGTH =
  /^(?:last\s+)?(\d{1,6})\s*(s|m|h|d|w)(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|eeks?)?$/;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})$/;
const DAY = /^(\d{1,2})\.?\s+([a-z]{3})[a-z]*(?:\s+(\d{4}))?$/;
const MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec";

/** A point that was typed; without a clock time, a whole day. */
type Point = { atMs: number; hasClock: boolean };

/** @returns null if the text is not a time */
export function typedTime(text: string, nowMs: number): ScopeTime | null {
  const typed = text.trim().toLowerCase().replaceAll("\u2013", "-");
  const named = CALENDAR_NAMES.find((name) => name.toLowerCase() === typed);
  if (named !== undefined) return CALENDAR_TIMES[named](nowMs);
  const [, amount, unit] = LENGTH.exec(typed) ?? [];
  if (amount !== undefined) {
    const seconds = secondsOf(`${Number(amount)}${unit}`);
    return seconds === null ? null : { seconds, fromMs: null, untilMs: null };
  }
  // A date contains hyphens, so only one with spaces, or one beside a clock time, separates.
  const [first = "", second, ...rest] = typed.split(/\s+-\s+|\s+to\s+|(?<=:\d\d)-(?=\d)/);
  if (rest.length > 0) return null;
  const from = pointOf(first.replace(/^(?:since|from)\s+/, ""), nowMs, null);
  if (from === null) return null;
  if (second === undefined) return sinceOf(from, nowMs);
  if (second === "now") return sinceOf({ ...from, hasClock: true }, nowMs);
  const until = pointOf(second, nowMs, from);
  if (until === null) return null;
  const untilMs = until.hasClock ? until.atMs : nextDay(until.atMs);
  return untilMs <= from.atMs ? null : { seconds: null, fromMs: from.atMs, untilMs };
}

/** A day alone is that whole day, and a clock time alone is since then. */
const sinceOf = ({ atMs, hasClock }: Point, nowMs: number): ScopeTime | null =>
  atMs >= nowMs
    ? null
    : {
        seconds: null,
        fromMs: atMs,
        untilMs: hasClock || nextDay(atMs) > nowMs ? null : nextDay(atMs),
      };

function pointOf(text: string, nowMs: number, before: Point | null): Point | null {
  const clockText = text.split(/[\st]+/).at(-1) ?? "";
  const clock = clockMs(clockText);
  const dayText = (clock === null ? text : text.slice(0, -clockText.length))
    .trim()
    .replace(/t$/, "");
  if (clock === null && dayText === "") return null;
  const day = dayText === "" ? null : dayStart(dayText, nowMs);
  if (dayText !== "" && day === null) return null;
  if (day !== null) return { atMs: atClock(day, clock), hasClock: clock !== null };
  return { atMs: undatedMs(clock ?? 0, nowMs, before), hasClock: true };
}

/**
 * A clock time without a day is the next one after the point before it, if there is one; otherwise the
 * last one that is over.
 */
function undatedMs(clock: number, nowMs: number, before: Point | null): number {
  const start = midnight(before?.atMs ?? nowMs);
  const sameDay = atClock(start, clock);
  if (before !== null) return sameDay > before.atMs ? sameDay : atClock(nextDay(start), clock);
  return sameDay <= nowMs ? sameDay : atClock(dayBefore(start), clock);
}

function clockMs(text: string): number | null {
  const [, hours, minutes, seconds = "0"] = CLOCK.exec(text) ?? [];
  if (hours === undefined) return null;
  const [h, m, s] = [Number(hours), Number(minutes), Number(seconds)];
  return h > 24 || m > 59 || s > 59 ? null : 1_000 * (3_600 * h + 60 * m + s);
}

function dayStart(text: string, nowMs: number): number | null {
  if (text === "today") return midnight(nowMs);
  if (text === "yesterday") return dayBefore(nowMs);
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year !== undefined) return dateMs(Number(year), Number(month) - 1, Number(day));
  const [, date, name = "", named] = DAY.exec(text) ?? [];
  if (date === undefined || MONTHS.indexOf(name) % 3 !== 0) return null;
  const index = MONTHS.indexOf(name) / 3;
  const thisYear = new Date(nowMs).getFullYear();
  const found = dateMs(named === undefined ? thisYear : Number(named), index, Number(date));
  // In January, "30 Dec" is last year's.
  if (found !== null && found > nowMs && named === undefined)
    return dateMs(thisYear - 1, index, Number(date));
  return found;
}

/** Null for a date that no calendar has, such as 31 February. */
function dateMs(year: number, month: number, day: number): number | null {
  const date = new Date(year, month, day);
  return date.getMonth() === month && date.getDate() === day ? date.getTime() : null;
}

const atClock = (dayMs: number, clock: number | null): number => {
  const date = new Date(dayMs);
  date.setHours(0, 0, 0, clock ?? 0);
  return date.getTime();
};
