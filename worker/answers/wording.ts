/**
 * The wording of figures in sentences of the edge, which knows nobody's locale: digits without separators,
 * SI units, ISO 8601 times. Pure, and stable while nothing changes.
 */

import type { ConcernFormats } from "../../protocol/concern-text.ts";
import { DAY_MS } from "../../protocol/day.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** A length of time in the largest unit of which it has at least two, with two digits at least. */
export function durationText(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 9.95 * SECOND_MS) return `${tenths(ms / SECOND_MS)} s`;
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}

/** The time that a request took, as its explanation and its figures on the page agree on it. */
export const latencyText = (ms: number): string =>
  ms < SECOND_MS
    ? `${Math.round(ms)} ms`
    : `${(ms / SECOND_MS).toFixed(ms < 10 * SECOND_MS ? 2 : 1)} s`;

/** Rounds to one decimal, which is left out if it is 0. */
export const tenths = (value: number): string => String(Math.round(10 * value) / 10);

/** A number with its noun, such as "1 request". */
export const countText = (value: number, noun: string): string =>
  `${value} ${value === 1 ? noun : `${noun}s`}`;

export const PLAIN: ConcernFormats = {
  count: String,
  percent: (rate) => `${tenths(100 * rate)} %`,
  duration: durationText,
  bytes: (bytes) => `${tenths(bytes / 1e9)} GB`,
  temperature: (celsius) => `${Math.round(celsius)} °C`,
  since: (iso) => `since ${iso}`,
  at: (iso) => `at ${iso}`,
};
