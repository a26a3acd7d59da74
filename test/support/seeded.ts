/** Random numbers that repeat for the same seed. */

export { randomOf as seeded } from "../../simulated/text.ts";

/** Returns a normally distributed number with mean 0 and deviation 1 (Box-Muller). */
export const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
