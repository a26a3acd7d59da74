/** What this browser was set to. Kept in its local storage, where anything may stand: every field is checked. */
import { effect, signal } from "@preact/signals";
import { RANGES, type Range } from "../shape/history.ts";

export const REFRESH_SECONDS = [1, 2, 5, 10, 15, 30, 60, 300] as const;
export const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "JPY", "INR", "AUD", "CAD"] as const;

export type Preferences = {
  /** Seconds; 0: only when asked. */
  refresh: number;
  theme: "system" | "light" | "dark";
  temperature: "celsius" | "fahrenheit";
  /** GiB and MiB, or GB and MB. */
  sizes: "binary" | "decimal";
  /** Per kWh; null: not said, and no cost is shown. */
  price: number | null;
  currency: string;
  range: Range;
};

const NAME = "preferences";

export const DEFAULTS: Preferences = {
  refresh: 5,
  theme: "system",
  temperature: "celsius",
  sizes: "binary",
  price: null,
  currency: "EUR",
  range: "1h",
};

/** Whatever stood in storage, as preferences. */
export function preferencesOf(value: unknown): Preferences {
  const said: Partial<Record<keyof Preferences, unknown>> =
    typeof value === "object" && value !== null ? value : {};
  const oneOf = <T>(options: readonly T[], option: unknown, otherwise: T): T =>
    options.find((each) => each === option) ?? otherwise;
  const { price } = said;
  return {
    refresh: oneOf([0, ...REFRESH_SECONDS], said.refresh, DEFAULTS.refresh),
    theme: oneOf(["system", "light", "dark"], said.theme, DEFAULTS.theme),
    temperature: oneOf(["celsius", "fahrenheit"], said.temperature, DEFAULTS.temperature),
    sizes: oneOf(["binary", "decimal"], said.sizes, DEFAULTS.sizes),
    price: typeof price === "number" && Number.isFinite(price) && price >= 0 ? price : null,
    currency: oneOf<string>(CURRENCIES, said.currency, DEFAULTS.currency),
    range: oneOf(RANGES, said.range, DEFAULTS.range),
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

export const prefer = (changes: Partial<Preferences>): void => {
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
