/** Hours of the day in a time zone, for the tariff and for pinned models. Pure. */
import * as z from "zod";

export const HOURS_PER_DAY = 24;
const HOUR_MS = 3_600_000;

/** The hours from `from` until `to`, which may be past midnight: 22 to 6. */
export const DAY_HOURS = {
  from: z.int().min(0).max(23).describe("first hour of the day, 0 to 23"),
  to: z
    .int()
    .min(1)
    .max(24)
    .describe("hour at which it ends, 1 to 24; less than from: past midnight"),
};

export const HOURS_DIFFER = { error: "from and to must differ", path: ["to"] };
export const hoursDiffer = ({ from, to }: DayHours): boolean => from !== to;

export const DayHours = z.strictObject(DAY_HOURS).refine(hoursDiffer, HOURS_DIFFER);
export type DayHours = { from: number; to: number };

export const TimeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, {
    error: ({ input }) =>
      `${JSON.stringify(input)} is not a time zone of the IANA list, such as "Europe/Berlin" or "UTC"`,
  });

/** Returns each of the hours, which may pass midnight. */
export function hoursOf({ from, to }: DayHours): number[] {
  const count = to > from ? to - from : to + HOURS_PER_DAY - from;
  return Array.from({ length: count }, (_, n) => (from + n) % HOURS_PER_DAY);
}

/**
 * Returns how long the hours still last, ms; 0 outside of them, and infinite if they are the whole
 * day or null.
 * @throws {RangeError} if the program does not know the time zone
 */
export function hoursLeftMs(hours: DayHours | null, timeZone: string, nowMs: number): number {
  if (hours === null) return Number.POSITIVE_INFINITY;
  const all = hoursOf(hours);
  if (all.length === HOURS_PER_DAY) return Number.POSITIVE_INFINITY;
  const { hour, intoHourMs } = localTime(nowMs, timeZone);
  const at = all.indexOf(hour);
  return at < 0 ? 0 : (all.length - at) * HOUR_MS - intoHourMs;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(ms: number, timeZone: string): { hour: number; intoHourMs: number } {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat("en", {
      timeZone,
      hourCycle: "h23",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  formats.set(timeZone, format);
  const parts = Object.fromEntries(format.formatToParts(ms).map((part) => [part.type, part.value]));
  const intoHourMs = (Number(parts.minute) * 60 + Number(parts.second)) * 1_000 + (ms % 1_000);
  return { hour: Number(parts.hour), intoHourMs };
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false; // a RangeError
  }
}
