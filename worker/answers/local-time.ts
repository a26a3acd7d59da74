/** Days, weeks and months of a time zone. Pure. */

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat("en-CA", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  formats.set(timeZone, format);
  return format;
}

type Part = "year" | "month" | "day" | "hour" | "minute" | "second";

function partsOf(ms: number, timeZone: string): Record<Part, string> {
  const parts = formatOf(timeZone).formatToParts(ms);
  return Object.fromEntries(parts.map(({ type, value }) => [type, value])) as Record<Part, string>;
}

/** Returns the local date, such as 2026-11-26. */
export function localDay(ms: number, timeZone: string): string {
  const { year, month, day } = partsOf(ms, timeZone);
  return `${year}-${month}-${day}`;
}

/** Returns how far the local clock is ahead of UTC, ms. */
function offsetMs(ms: number, timeZone: string): number {
  const { year, month, day, hour, minute, second } = partsOf(ms, timeZone);
  const local = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  return local - Math.floor(ms / 1_000) * 1_000;
}

/**
 * Returns when an hour of a date begins, unix ms. If the clocks skip it, the moment at which they do, or
 * an hour later.
 */
export function startOfHour(date: string, hour: number, timeZone: string): number {
  const utcMs = Date.parse(`${date}T00:00:00Z`) + hour * 3_600_000;
  const guessMs = utcMs - offsetMs(utcMs, timeZone);
  const startMs = utcMs - offsetMs(guessMs, timeZone);
  return localDay(startMs, timeZone) === date ? startMs : guessMs;
}

/** Returns when a date begins, unix ms. */
export const startOfDay = (date: string, timeZone: string): number =>
  startOfHour(date, 0, timeZone);

/** Returns the first date of the month of a time. */
export const firstOfMonth = (ms: number, timeZone: string): string =>
  `${localDay(ms, timeZone).slice(0, 7)}-01`;

/** Returns the time of day, such as 14:05, with its date if that is another than today. */
export function localTimeText(ms: number, timeZone: string, nowMs: number): string {
  const { hour, minute } = partsOf(ms, timeZone);
  const day = localDay(ms, timeZone);
  const time = `${hour}:${minute}`;
  return day === localDay(nowMs, timeZone) ? time : `${time} on ${day}`;
}

const HOUR_SECONDS = 3_600;
const DAY_MS = 24 * HOUR_SECONDS * 1_000;

/**
 * Returns what names the day, the week or the month of an hour, unix seconds: a date, that of its Monday,
 * or 2026-11. Remembers each hour, because formatting it takes longer than the rest of a sum.
 */
export function periodNames(
  length: "day" | "week" | "month",
  timeZone: string,
): (at: number) => string {
  const names = new Map<number, string>();
  const nameOf = (hour: number): string => {
    const day = localDay(hour * HOUR_SECONDS * 1_000, timeZone);
    if (length === "month") return day.slice(0, 7);
    return length === "week" ? mondayOf(day) : day;
  };
  return (at) => {
    const hour = Math.floor(at / HOUR_SECONDS);
    const name = names.get(hour) ?? nameOf(hour);
    names.set(hour, name);
    return name;
  };
}

/** Dates without a zone: their weekday is that of the same date in UTC. */
function mondayOf(day: string): string {
  const ms = Date.parse(`${day}T00:00:00Z`);
  const sinceMonday = (new Date(ms).getUTCDay() + 6) % 7;
  return new Date(ms - sinceMonday * DAY_MS).toISOString().slice(0, 10);
}
