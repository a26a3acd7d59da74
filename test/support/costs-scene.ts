/** Requests and metered energy of two boxes, of which costs are summed. */
import type { CostsParts } from "../../worker/answers/costs.ts";
import type { Amount } from "../../worker/counting/amount.ts";
import { NO_REQUESTS } from "../../worker/counting/request-sums.ts";

export const COSTS_DAY = Date.parse("2026-03-10T00:00:00Z") / 1_000;
export const COSTS_HOUR = 3_600;

/** Energy that costs a cent per 100 J, and emits a gram per 10 J. */
export const amountOf = (j: number): Amount => ({
  j,
  cost: j / 10_000,
  cost_j: j,
  co2_g: j / 10,
  co2_j: j,
});
export const requestPart = (
  at: number,
  box: string,
  model: string,
  j: number | null,
  rest: object = {},
) => ({
  at,
  box,
  model,
  sums: {
    ...NO_REQUESTS,
    requests: 1,
    prompt_tokens: 1_000,
    completion_tokens: 500,
    ...(j !== null && { ...amountOf(j), energy_requests: 1 }),
    ...rest,
  },
});
export const energyPart = (
  at: number,
  box: string,
  active: number,
  idle: number,
  standing: Record<string, number>,
) => ({
  box,
  hour: {
    at,
    active: amountOf(active),
    idle: amountOf(idle),
    loaded: amountOf(Object.values(standing).reduce((sum, j) => sum + j, 0)),
    standing: Object.entries(standing).map(([model, j]) => ({ model, ...amountOf(j) })),
  },
});
export const costsParts = (rest: Partial<CostsParts>): CostsParts => ({
  by: "model",
  timeZone: "UTC",
  model: undefined,
  requests: [],
  energy: [],
  ofKeys: null,
  nameOf: (key) => (key === "a1" ? "Ada" : null),
  currency: "EUR",
  comparedWith: null,
  ...rest,
});
export const COSTS_SCENE = {
  requests: [
    requestPart(COSTS_DAY, "atlas", "big", 600),
    requestPart(COSTS_DAY + 90, "atlas", "big", 100),
    requestPart(COSTS_DAY + COSTS_HOUR, "atlas", "small", 200),
    requestPart(COSTS_DAY + 86_400, "basil", "big", null),
  ],
  energy: [
    energyPart(COSTS_DAY, "atlas", 720, 50, { big: 300 }),
    energyPart(COSTS_DAY + COSTS_HOUR, "atlas", 200, 0, { big: 40, small: 40 }),
    energyPart(COSTS_DAY + 86_400, "basil", 90, 10, {}),
  ],
};
