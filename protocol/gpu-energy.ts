/** The energy of a GPU, by what its box was doing. Agent and edge add it up the same way. */
import * as z from "zod";

/** A GPU that shows a desktop or a video stays below. */
export const GPU_BUSY_PERCENT = 20;

/**
 * - `active`: a request that shares the GPU was open, or somebody called the models in memory past the agent.
 * - `loaded`: no request was open, but Ollama had a model in memory. This is its standing cost.
 * - `idle`: neither.
 */
export const ENERGY_STATES = ["active", "loaded", "idle"] as const;
export type EnergyState = (typeof ENERGY_STATES)[number];

const Amount = z.object({
  joules: z.number().nonnegative(),
  seconds: z.number().nonnegative().describe("the time over which it was measured"),
});

export const GpuEnergy = z.object({ active: Amount, loaded: Amount, idle: Amount });
export type GpuEnergy = z.infer<typeof GpuEnergy>;

const NOTHING = { joules: 0, seconds: 0 };
export const NO_ENERGY: GpuEnergy = { active: NOTHING, loaded: NOTHING, idle: NOTHING };

export function addEnergy(total: GpuEnergy, added: Partial<GpuEnergy>): GpuEnergy {
  const sum = (state: EnergyState) => ({
    joules: total[state].joules + (added[state]?.joules ?? 0),
    seconds: total[state].seconds + (added[state]?.seconds ?? 0),
  });
  return { active: sum("active"), loaded: sum("loaded"), idle: sum("idle") };
}

export const joulesIn = ({ active, loaded, idle }: GpuEnergy): number =>
  active.joules + loaded.joules + idle.joules;

/** Returns the growth from one total to a later one. A total that shrank has not grown. */
export function energySince(before: GpuEnergy, after: GpuEnergy): GpuEnergy {
  const growth = (state: EnergyState) => ({
    joules: Math.max(0, after[state].joules - before[state].joules),
    seconds: Math.max(0, after[state].seconds - before[state].seconds),
  });
  return { active: growth("active"), loaded: growth("loaded"), idle: growth("idle") };
}

/** Both states must have been seen for this long before their power is compared, seconds. */
const COMPARED_SECONDS = 60;

/**
 * Returns the power that a loaded model adds while no request is open, in watts; null if it has not
 * been seen.
 */
export function standingWatts({ loaded, idle }: GpuEnergy): number | null {
  if (loaded.seconds < COMPARED_SECONDS || idle.seconds < COMPARED_SECONDS) return null;
  return loaded.joules / loaded.seconds - idle.joules / idle.seconds;
}

/** The energy that the meter of an agent has measured since it started. */
export const MeteredEnergy = z.object({
  /** Changes with each start of the meter, whose totals begin at 0. */
  meter_id: z.uuid(),
  gpus: z
    .array(
      z.object({
        index: z.int().nonnegative(),
        uuid: z.string().max(128).nullable(),
        name: z.string().max(128),
        energy: GpuEnergy,
      }),
    )
    .max(64),
});
export type MeteredEnergy = z.infer<typeof MeteredEnergy>;
