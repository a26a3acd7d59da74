/**
 * An amount of energy, with its cost and its CO2, and the energy that each of these covers. Pure.
 */
import * as z from "zod";

export const Amount = z.object({
  j: z.number(),
  cost: z.number(),
  /** The energy whose price was known. */
  cost_j: z.number(),
  co2_g: z.number(),
  /** The energy whose CO2 was known. */
  co2_j: z.number(),
});
export type Amount = z.infer<typeof Amount>;

export const NO_AMOUNT: Amount = { j: 0, cost: 0, cost_j: 0, co2_g: 0, co2_j: 0 };

export const addAmounts = (a: Amount, b: Amount): Amount => ({
  j: a.j + b.j,
  cost: a.cost + b.cost,
  cost_j: a.cost_j + b.cost_j,
  co2_g: a.co2_g + b.co2_g,
  co2_j: a.co2_j + b.co2_j,
});

/** Returns a share of an amount. */
export const shareOf = (share: number, { j, cost, cost_j, co2_g, co2_j }: Amount): Amount => ({
  j: share * j,
  cost: share * cost,
  cost_j: share * cost_j,
  co2_g: share * co2_g,
  co2_j: share * co2_j,
});

/** Returns an amount without a part of it; nothing if the part has all of the energy. */
export function remainder(whole: Amount, part: Amount): Amount {
  if (part.j >= whole.j) return NO_AMOUNT;
  return {
    j: whole.j - part.j,
    cost: Math.max(0, whole.cost - part.cost),
    cost_j: Math.max(0, whole.cost_j - part.cost_j),
    co2_g: Math.max(0, whole.co2_g - part.co2_g),
    co2_j: Math.max(0, whole.co2_j - part.co2_j),
  };
}
