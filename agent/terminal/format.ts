/** Formats figures for a terminal. An unknown value is a dash, never 0. Pure. */
import { DAY_MS } from "../../protocol/day.ts";

export const UNKNOWN_FIGURE = "–";

type Known = number | null;

const shown = (value: Known, text: (value: number) => string): string =>
  value === null ? UNKNOWN_FIGURE : text(value);

/** With thousands separated: the locale of the machine must not change it. */
export const wholeText = (value: Known): string =>
  shown(value, (number) => String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ","));

export const percentText = (value: Known): string => shown(value, (of) => `${Math.round(of)} %`);

/** One digit after the point below 100. */
export const amountText = (value: number): string =>
  value < 99.95 ? (Math.round(10 * value) / 10).toFixed(1) : String(Math.round(value));

const UNITS: [ms: number, name: string][] = [
  [DAY_MS, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** At most two units, in whole seconds: "3 h 12 min". */
export function spanText(ms: Known): string {
  if (ms === null) return UNKNOWN_FIGURE;
  const first = UNITS.findIndex(([unitMs]) => ms >= unitMs);
  if (first === -1) return "0 s";
  return UNITS.slice(first, first + 2)
    .map(([unitMs, name], place) => {
      const [above = Number.POSITIVE_INFINITY] = UNITS[first + place - 1] ?? [];
      return [Math.floor((ms % above) / unitMs), name] as const;
    })
    .filter(([amount]) => amount > 0)
    .map(([amount, name]) => `${amount} ${name}`)
    .join(" ");
}

const GB = 1e9;
const MIB_PER_GIB = 1_024;

/** Sizes of models, as Ollama prints them. */
export const gigabytes = (bytes: Known): string =>
  shown(bytes, (value) =>
    value < GB ? `${Math.round(value / 1e6)} MB` : `${amountText(value / GB)} GB`,
  );

/** "41.2 of 79.6 GiB". */
export function usedText(used: Known, total: Known, perUnit: number, unit: string): string {
  const text = (value: Known) => shown(value, (number) => amountText(number / perUnit));
  if (used === null && total === null) return UNKNOWN_FIGURE;
  return `${text(used)} of ${text(total)} ${unit}`;
}

export const vramText = (usedMib: Known, totalMib: Known): string =>
  usedText(usedMib, totalMib, MIB_PER_GIB, "GiB");

export const wattsText = (draw: Known, limit: Known): string =>
  draw === null
    ? UNKNOWN_FIGURE
    : `${Math.round(draw)}${limit === null ? "" : ` of ${Math.round(limit)}`} W`;
