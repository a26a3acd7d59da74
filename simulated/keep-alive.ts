/** `keep_alive` in all its forms: a number of seconds or a Go duration. Negative means forever. */

/** Time that Ollama keeps a model in memory after its last use. */
export const KEEP_ALIVE_MS = 5 * 60_000;

const UNIT_MS: Record<string, number> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  ns: 1e-6,
};

/** @returns milliseconds, possibly infinite; null if the value is not a duration */
export function keepAliveMs(value: string | number | undefined): number | null {
  if (value === undefined) return KEEP_ALIVE_MS;
  if (typeof value === "number") return value < 0 ? Number.POSITIVE_INFINITY : value * 1_000;
  if (/^-?\d+(\.\d+)?$/.test(value)) return keepAliveMs(Number(value));
  if (!/^-?(\d+(\.\d+)?(h|ms|m|s|us|ns))+$/.test(value)) return null;
  if (value.startsWith("-")) return Number.POSITIVE_INFINITY;
  let total = 0;
  for (const [, number, unit] of value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)/g))
    total += Number(number) * (UNIT_MS[unit ?? ""] ?? 0);
  return total;
}
