/**
 * The cost of power. Pure. Covers the GPU boards only; power supplies, fans and the rest add to it.
 */

/** Returns the sum of the known values, or null if none is known. */
export function sumKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

const JOULES_PER_KWH = 3.6e6;

/** @param price  per kWh */
export const costOf = (joules: number, price: number): number => (joules / JOULES_PER_KWH) * price;

/** @param price  per kWh */
export const costPerDay = (watts: number, price: number): number => (watts / 1_000) * 24 * price;
