/** Chance that comes out the same every time. */

export { randomOf as seeded } from "../../simulated/text.ts";

/** Normally distributed, mean 0, deviation 1 (Box and Muller). */
export const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
