/**
 * Running totals of one GPU's energy, by the state of its box. Pure.
 *
 * - `active`: a request that shares this GPU was open.
 * - `loaded`: no request was open, but Ollama had a model in memory.
 * - `idle`: neither.
 */
type Amount = { joules: number; ms: number };

export const ENERGY_STATES = ["active", "loaded", "idle"] as const;
export type EnergyState = (typeof ENERGY_STATES)[number];
export type GpuEnergy = Readonly<Record<EnergyState, Amount>>;

const NOTHING: Amount = { joules: 0, ms: 0 };
export const NO_ENERGY: GpuEnergy = { active: NOTHING, loaded: NOTHING, idle: NOTHING };

export function addEnergy(total: GpuEnergy, added: Partial<GpuEnergy>): GpuEnergy {
  const sum = (state: EnergyState): Amount => ({
    joules: total[state].joules + (added[state]?.joules ?? 0),
    ms: total[state].ms + (added[state]?.ms ?? 0),
  });
  return { active: sum("active"), loaded: sum("loaded"), idle: sum("idle") };
}
