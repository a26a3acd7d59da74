/**
 * Formats figures for people, with units and in the viewer's time zone. Pure.
 *
 * An unknown value (`null`) is shown as a dash, never as 0.
 */

export const UNKNOWN = "–";

const NARROW = "\u202f";

const formats = new Map<number, Intl.NumberFormat>();

function fixed(value: number, digits: number): string {
  const format =
    formats.get(digits) ??
    new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  formats.set(digits, format);
  return format.format(value);
}

/** Formats a number with about three significant digits: 0.42, 4.2, 42, 420. */
export const short = (value: number): string =>
  fixed(value, value === 0 || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2).replace(
    /\.0+$/,
    "",
  );

export const count = (value: number | null): string => (value === null ? UNKNOWN : fixed(value, 0));

const MULTIPLES: [from: number, by: number, name: string][] = [
  [1e12, 1e12, "T"],
  [1e9, 1e9, "G"],
  [1e6, 1e6, "M"],
  [1e4, 1e3, "k"],
];

/** Formats a count for a narrow space: 9,999, then 10 k, 1.25 M. */
export function compact(value: number | null): string {
  if (value === null) return UNKNOWN;
  const multiple = MULTIPLES.find(([from]) => Math.abs(value) >= from);
  if (multiple === undefined) return Number.isInteger(value) ? fixed(value, 0) : short(value);
  return `${short(value / multiple[1])}${NARROW}${multiple[2]}`;
}

export const percent = (rate: number | null): string =>
  rate === null ? UNKNOWN : `${short(100 * rate)}${NARROW}%`;
export const ofHundred = (value: number | null): string =>
  value === null ? UNKNOWN : `${fixed(value, 0)}${NARROW}%`;

/** Formats a duration with at most two units. */
export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  // Rounded first: 999.6 ms is a second.
  if (ms < 999.5) return `${ms < 10 ? short(ms) : fixed(ms, 0)}${NARROW}ms`;
  if (ms < 59_950) return `${short(ms / 1_000)}${NARROW}s`;
  const seconds = Math.round(ms / 1_000);
  const units: [string, number][] = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3_600) % 24],
    ["min", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ];
  const first = units.findIndex(([, amount]) => amount > 0);
  return units
    .slice(first, first + 2)
    .filter(([, amount]) => amount > 0)
    .map(([unit, amount]) => `${amount}${NARROW}${unit}`)
    .join(" ");
}

/**
 * Formats the duration of something still going on, in whole seconds so that the digits do not
 * flicker.
 */
export const elapsed = (ms: number): string =>
  duration(Math.max(1, Math.floor(ms / 1_000)) * 1_000);

/** Formats the age of data. */
export const age = (ms: number): string => (ms < 1_500 ? "now" : `${elapsed(ms)} ago`);

export type Sizes = "binary" | "decimal";

const BYTE_UNITS: Record<Sizes, [base: number, names: string[]]> = {
  binary: [1_024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]],
  decimal: [1_000, ["B", "kB", "MB", "GB", "TB", "PB"]],
};

export function bytes(value: number | null, sizes: Sizes): string {
  if (value === null) return UNKNOWN;
  const [base, names] = BYTE_UNITS[sizes];
  let amount = value;
  let unit = 0;
  while (amount >= base && unit < names.length - 1) {
    amount /= base;
    unit++;
  }
  return `${unit === 0 ? fixed(amount, 0) : short(amount)}${NARROW}${names[unit]}`;
}

const MIB = 1_024 ** 2;
const GIB = 1_024 ** 3;
/**
 * The MB of `/api/gpu` and the GB of `/api/system` are powers of two, like those of nvidia-smi and
 * `free`.
 */
export const mib = (value: number | null, sizes: Sizes): string =>
  bytes(value === null ? null : value * MIB, sizes);
export const gib = (value: number | null, sizes: Sizes): string =>
  bytes(value === null ? null : value * GIB, sizes);

export const temperature = (celsius: number | null, unit: "celsius" | "fahrenheit"): string => {
  if (celsius === null) return UNKNOWN;
  return unit === "celsius"
    ? `${fixed(celsius, 0)}${NARROW}°C`
    : `${fixed((celsius * 9) / 5 + 32, 0)}${NARROW}°F`;
};

export const watts = (value: number | null): string =>
  value === null ? UNKNOWN : `${fixed(value, 0)}${NARROW}W`;

/** Formats energy in watt-hours, the unit it is billed in: mWh for a request, kWh for a day. */
export function energy(joules: number | null): string {
  if (joules === null) return UNKNOWN;
  const wattHours = joules / 3_600;
  if (wattHours < 1) return `${short(wattHours * 1_000)}${NARROW}mWh`;
  return wattHours < 1_000
    ? `${short(wattHours)}${NARROW}Wh`
    : `${short(wattHours / 1_000)}${NARROW}kWh`;
}

export const perSecond = (value: number | null): string =>
  value === null ? UNKNOWN : `${short(value)}${NARROW}/s`;
export const tokenRate = (value: number | null): string =>
  value === null ? UNKNOWN : `${short(value)}${NARROW}tok/s`;

/** Formats a mass of CO2: mg for a request, kg for a month. */
export function co2(grams: number | null): string {
  if (grams === null) return UNKNOWN;
  if (grams < 1) return `${short(grams * 1_000)}${NARROW}mg CO₂`;
  return grams < 1_000 ? `${short(grams)}${NARROW}g CO₂` : `${short(grams / 1_000)}${NARROW}kg CO₂`;
}

/**
 * Formats an amount of money. A request costs a fraction of a cent, so at least two digits of it
 * are shown.
 */
export function money(amount: number, currency: string): string {
  const digits =
    amount === 0 || amount >= 0.1
      ? 2
      : Math.max(4, Math.min(10, 1 - Math.floor(Math.log10(amount))));
  return new Intl.NumberFormat("en", {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amount);
}

const TIMES = {
  minute: { hour: "2-digit", minute: "2-digit" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  day: { day: "numeric", month: "short" },
  date: { day: "numeric", month: "numeric", year: "numeric" },
  full: { dateStyle: "full", timeStyle: "long" },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

const timeFormats = new Map<string, Intl.DateTimeFormat>();

/** Keeps each format: making one takes longer than the rest of a row of a table. */
export function timeFormat(name: keyof typeof TIMES, zone?: string): Intl.DateTimeFormat {
  const key = `${name} ${zone}`;
  const format =
    timeFormats.get(key) ?? new Intl.DateTimeFormat("en-GB", { ...TIMES[name], timeZone: zone });
  timeFormats.set(key, format);
  return format;
}

/** Formats a time in the viewer's zone. Adds the date unless it is today. */
export function moment(iso: string, nowMs: number, zone?: string): string {
  const at = new Date(iso);
  const date = timeFormat("date", zone);
  const time = timeFormat("clock", zone).format(at);
  return date.format(at) === date.format(nowMs)
    ? time
    : `${timeFormat("day", zone).format(at)}, ${time}`;
}

/** Formats a time in full, for tooltips. */
export const momentInFull = (iso: string, zone?: string): string =>
  timeFormat("full", zone).format(new Date(iso));
