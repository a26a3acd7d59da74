/**
 * The energy of a box by hour: what its meter counted while requests were open, while only models were in
 * memory, and otherwise; priced by the tariffs in force. Pure.
 *
 * The energy of a box whose models are unused is divided equally among the models in memory, as
 * the energy of requests is divided among requests. Hours are those of UTC.
 */
import * as z from "zod";
import { ENERGY_STATES, type GpuEnergy } from "../../protocol/gpu-energy.ts";
import { Amount, addAmounts, NO_AMOUNT, shareOf } from "./amount.ts";
import { OTHER } from "./model-key.ts";
import { pricingOf, type TariffVersion } from "./pricing.ts";

const HOUR_MS = 3_600_000;
/** An agent that ran for longer before the edge knew it. A year of hours would not fit in a row. */
const SPREAD_MS_MAX = 31 * 24 * HOUR_MS;
/** More models than a box has. A box invents the names of its models. */
const STANDING_MODELS_MAX = 200;

/** The energy of models in memory while no request was open, by model. */
const Standing = z.array(Amount.extend({ model: z.string() }));

export const EnergySums = z.object({
  active: Amount,
  loaded: Amount,
  idle: Amount,
  /** The parts of `loaded`. */
  standing: Standing,
});
export type EnergySums = z.infer<typeof EnergySums>;

export type BoxSpent = { box: string; sums: EnergySums };

/** `at` is the start of the hour, unix seconds. */
export const EnergyHour = EnergySums.extend({ at: z.number() });
export type EnergyHour = z.infer<typeof EnergyHour>;

export const NO_SUMS: EnergySums = {
  active: NO_AMOUNT,
  loaded: NO_AMOUNT,
  idle: NO_AMOUNT,
  standing: [],
};

export function addSums(a: EnergySums, b: EnergySums): EnergySums {
  const standing = new Map(a.standing.map((each) => [each.model, each]));
  for (const each of b.standing) {
    const isKnown = standing.has(each.model) || standing.size < STANDING_MODELS_MAX;
    const model = isKnown ? each.model : OTHER;
    standing.set(model, { model, ...addAmounts(standing.get(model) ?? NO_AMOUNT, each) });
  }
  return {
    active: addAmounts(a.active, b.active),
    loaded: addAmounts(a.loaded, b.loaded),
    idle: addAmounts(a.idle, b.idle),
    standing: [...standing.values()],
  };
}

export type Growth = {
  energy: GpuEnergy;
  /** The time over which the energy was drawn, ending at `endMs`. */
  seconds: number;
  endMs: number;
};

/**
 * Divides the growth of a box's energy among the hours in which it was drawn.
 * @param models  short names of the models in memory
 */
export function hoursOfGrowth(
  { energy, seconds, endMs }: Growth,
  box: string,
  models: readonly string[],
  versions: readonly TariffVersion[],
): EnergyHour[] {
  const startMs = endMs - Math.min(SPREAD_MS_MAX, seconds * 1_000);
  const hours: EnergyHour[] = [];
  let fromMs = startMs;
  do {
    const hourMs = Math.floor(fromMs / HOUR_MS) * HOUR_MS;
    const toMs = Math.min(endMs, hourMs + HOUR_MS);
    const share = endMs > startMs ? (toMs - fromMs) / (endMs - startMs) : 1;
    const sums = { ...NO_SUMS };
    for (const state of ENERGY_STATES) {
      const j = share * energy[state].joules;
      if (j > 0) sums[state] = amountOf(j, box, fromMs, toMs, versions);
    }
    const names = models.length === 0 ? [OTHER] : models;
    if (sums.loaded.j > 0)
      sums.standing = names.map((model) => ({
        model,
        ...shareOf(1 / names.length, sums.loaded),
      }));
    hours.push({ at: hourMs / 1_000, ...sums });
    fromMs = toMs;
  } while (fromMs < endMs);
  return hours;
}

function amountOf(
  j: number,
  box: string,
  fromMs: number,
  toMs: number,
  versions: readonly TariffVersion[],
): Amount {
  const { cost, costJ, co2G, co2J } = pricingOf(j, box, fromMs, toMs, versions);
  return { j, cost, cost_j: costJ, co2_g: co2G, co2_j: co2J };
}

/** Adds hours that may be the same, and returns one for each, oldest first. */
export function mergedHours(hours: readonly EnergyHour[]): EnergyHour[] {
  const merged = new Map<number, EnergyHour>();
  for (const hour of hours) {
    const before = merged.get(hour.at);
    merged.set(hour.at, before === undefined ? hour : { at: hour.at, ...addSums(before, hour) });
  }
  return [...merged.values()].sort((a, b) => a.at - b.at);
}
