/**
 * The preferences of this browser, kept in local storage. Its content is untrusted, so every field
 * is checked.
 */
import { effect, signal } from "@preact/signals";
import { type ComparedPrice, comparedPriceIn } from "../shape/compared-price.ts";
import { RANGES, type Range } from "../shape/history.ts";
import { type ColumnName, columnsIn, USUAL_COLUMNS } from "../shape/request-columns.ts";

export const REFRESH_SECONDS = [1, 2, 5, 10, 15, 30, 60, 300] as const;

export type Preferences = {
  /** In seconds; 0 refreshes only on request. */
  refresh: number;
  theme: "system" | "light" | "dark";
  temperature: "celsius" | "fahrenheit";
  /** GiB and MiB, or GB and MB. */
  sizes: "binary" | "decimal";
  range: Range;
  /** The columns of the request list. */
  columns: ColumnName[];
  /** Null: the price that the edge compares with, if any. */
  comparedPrice: ComparedPrice | null;
};

const NAME = "preferences";

export const DEFAULTS: Preferences = {
  refresh: 5,
  theme: "system",
  temperature: "celsius",
  sizes: "binary",
  range: "1h",
  columns: USUAL_COLUMNS,
  comparedPrice: null,
};

/** Parses the stored preferences. Invalid or missing fields take their default. */
export function preferencesOf(value: unknown): Preferences {
  const fields: Partial<Record<keyof Preferences, unknown>> =
    typeof value === "object" && value !== null ? value : {};
  const oneOf = <T>(options: readonly T[], option: unknown, otherwise: T): T =>
    options.find((each) => each === option) ?? otherwise;
  return {
    refresh: oneOf([0, ...REFRESH_SECONDS], fields.refresh, DEFAULTS.refresh),
    theme: oneOf(["system", "light", "dark"], fields.theme, DEFAULTS.theme),
    temperature: oneOf(["celsius", "fahrenheit"], fields.temperature, DEFAULTS.temperature),
    sizes: oneOf(["binary", "decimal"], fields.sizes, DEFAULTS.sizes),
    range: oneOf(RANGES, fields.range, DEFAULTS.range),
    columns: columnsIn(fields.columns),
    comparedPrice: comparedPriceIn(fields.comparedPrice),
  };
}

function stored(): unknown {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "null");
  } catch {
    return null;
  }
}

export const preferences = signal(preferencesOf(stored()));

export const setPreferences = (changes: Partial<Preferences>): void => {
  preferences.value = { ...preferences.value, ...changes };
};

effect(() => {
  localStorage.setItem(NAME, JSON.stringify(preferences.value));
});

effect(() => {
  const { theme } = preferences.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
});
