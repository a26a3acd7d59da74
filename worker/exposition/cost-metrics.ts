/** The metric families of costs, a part of the table in `metrics.ts`, and their samples. */
import { ENERGY_STATES } from "../../protocol/gpu-energy.ts";
import type { Amount } from "../counting/amount.ts";
import type { KeyedCell } from "../counting/cell.ts";
import type { BoxSpent } from "../counting/energy-hours.ts";
import { currencyOf, JOULES_PER_KWH, pricingOf, type TariffVersion } from "../counting/pricing.ts";
import type { Family } from "./family.ts";
import type { Sample } from "./text.ts";

export const COST_METRICS = {
  modelCost: {
    type: "counter",
    name: "ollama_model_cost_total",
    help: "Cost of the requests of a model, by the tariff of the edge. No sample without a tariff or known energy.",
    labels: ["model", "box", "currency"],
  },
  modelCo2: {
    type: "counter",
    name: "ollama_model_co2_grams_total",
    help: "CO2 of the requests of a model. No sample if unknown.",
    labels: ["model", "box"],
  },
  modelStandingEnergy: {
    type: "counter",
    name: "ollama_model_standing_energy_joules_total",
    help: "Energy of the box while the model was in memory and no request was open, divided among the models in memory.",
    labels: ["model", "box"],
  },
  modelStandingCost: {
    type: "counter",
    name: "ollama_model_standing_cost_total",
    help: "Cost of ollama_model_standing_energy_joules_total. No sample without a tariff.",
    labels: ["model", "box", "currency"],
  },
  boxCost: {
    type: "counter",
    name: "ollama_box_cost_total",
    help: "Cost of the GPUs of a box by state: active (a request is open), loaded (only a model is in memory) or idle.",
    labels: ["box", "state", "currency"],
  },
  boxCo2: {
    type: "counter",
    name: "ollama_box_co2_grams_total",
    help: "CO2 of the GPUs of a box by state, as in ollama_box_cost_total. No sample if unknown.",
    labels: ["box", "state"],
  },
  price: {
    type: "gauge",
    name: "ollama_energy_price_per_kwh",
    help: "Price of a kilowatt-hour for the box at this hour. No sample if unknown.",
    labels: ["box", "currency"],
  },
} as const satisfies Record<string, Family>;

export type CostScrape = {
  lifetime: readonly KeyedCell[];
  spent: readonly BoxSpent[];
  boxes: readonly { name: string }[];
  versions: readonly TariffVersion[];
  nowMs: number;
};

export function costSamples({
  lifetime,
  spent,
  boxes,
  versions,
  nowMs,
}: CostScrape): Record<keyof typeof COST_METRICS, Sample[]> {
  const currency = currencyOf(versions);
  const priced = (labels: string[], { cost, cost_j }: Pick<Amount, "cost" | "cost_j">): Sample[] =>
    currency === null || cost_j === 0 ? [] : [{ labels: [...labels, currency], value: cost }];
  const emitted = (
    labels: string[],
    { co2_g, co2_j }: Pick<Amount, "co2_g" | "co2_j">,
  ): Sample[] => (co2_j === 0 ? [] : [{ labels, value: co2_g }]);
  const standing = spent.flatMap(({ box, sums }) =>
    sums.standing.map((amount) => ({ labels: [amount.model, box], amount })),
  );
  const states = spent.flatMap(({ box, sums }) =>
    ENERGY_STATES.map((state) => ({ labels: [box, state], amount: sums[state] })),
  );
  return {
    modelCost: lifetime.flatMap(({ model, box, cell: { spent: of } }) =>
      priced([model, box], { cost: of.cost, cost_j: of.costJ }),
    ),
    modelCo2: lifetime.flatMap(({ model, box, cell: { spent: of } }) =>
      emitted([model, box], { co2_g: of.co2G, co2_j: of.co2J }),
    ),
    modelStandingEnergy: standing.map(({ labels, amount }) => ({ labels, value: amount.j })),
    modelStandingCost: standing.flatMap(({ labels, amount }) => priced(labels, amount)),
    boxCost: states.flatMap(({ labels, amount }) => priced(labels, amount)),
    boxCo2: states.flatMap(({ labels, amount }) => emitted(labels, amount)),
    price: boxes.flatMap(({ name }) => {
      const { cost, costJ } = pricingOf(JOULES_PER_KWH, name, nowMs, nowMs, versions);
      return priced([name], { cost, cost_j: costJ });
    }),
  };
}
