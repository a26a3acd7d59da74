/**
 * `npm run test:fuzz`: a million frames against both ends and the Box between them, from seeds.
 *
 *     FRAMES=1000000 npm run test:fuzz
 *     SEED=17 npm run test:fuzz          one seed
 */
import * as z from "zod";
import { fuzz } from "./fuzzed-ends.ts";

const Settings = z.object({
  SEED: z.coerce.number().int().nonnegative().optional(),
  FRAMES: z.coerce.number().int().positive().default(1_000_000),
});

const FRAMES_PER_SEED = 10_000;

const { SEED, FRAMES } = Settings.parse(process.env);
const startMs = performance.now();
const sum = { messages: 0, frames: 0, refused: 0, streams: 0 };
for (let seed = SEED ?? 1; sum.frames < (SEED === undefined ? FRAMES : 1); seed++) {
  try {
    const fuzzed = await fuzz(seed, FRAMES_PER_SEED);
    for (const name of ["messages", "frames", "refused", "streams"] as const)
      sum[name] += fuzzed[name];
  } catch (error) {
    console.error(`SEED=${seed} npm run test:fuzz`);
    throw error;
  }
}
console.log(
  Object.entries(sum)
    .map(([name, count]) => `${name} ${count.toLocaleString("en")}`)
    .join(", "),
);
console.log(`${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
