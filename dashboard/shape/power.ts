/** Power as cost. Pure. What a board draws, not what the wall gives: supplies and fans come on top. */

/** @returns null where nothing is known; else the sum of what is. */
export function sumKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

const JOULES_PER_KWH = 3.6e6;

/** @param price  per kWh */
export const costOf = (joules: number, price: number): number => (joules / JOULES_PER_KWH) * price;

/** @param price  per kWh */
export const costPerDay = (watts: number, price: number): number => (watts / 1_000) * 24 * price;
