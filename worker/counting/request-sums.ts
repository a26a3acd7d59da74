/** The sums of requests that costs are made of. Pure. */
import * as z from "zod";
import type { Cell } from "./cell.ts";

export const RequestSums = z.object({
  requests: z.number(),
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  /** Requests whose energy is known, and their energy, cost and CO2. */
  energy_requests: z.number(),
  j: z.number(),
  cost: z.number(),
  cost_j: z.number(),
  co2_g: z.number(),
  co2_j: z.number(),
  /**
   * The parts of costs that can be divided between prompt and answer, and the tokens that they
   * paid.
   */
  prompt_cost: z.number(),
  completion_cost: z.number(),
  priced_prompt_tokens: z.number(),
  priced_completion_tokens: z.number(),
});
export type RequestSums = z.infer<typeof RequestSums>;

export const NO_REQUESTS: RequestSums = {
  requests: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  energy_requests: 0,
  j: 0,
  cost: 0,
  cost_j: 0,
  co2_g: 0,
  co2_j: 0,
  prompt_cost: 0,
  completion_cost: 0,
  priced_prompt_tokens: 0,
  priced_completion_tokens: 0,
};

const NAMES = Object.keys(NO_REQUESTS) as (keyof RequestSums)[];

export function addRequests(a: RequestSums, b: RequestSums): RequestSums {
  const sum = { ...NO_REQUESTS };
  for (const name of NAMES) sum[name] = a[name] + b[name];
  return sum;
}

/** Returns what is left of sums without a part of them. */
export function withoutRequests(all: RequestSums, part: RequestSums): RequestSums {
  const rest = { ...NO_REQUESTS };
  for (const name of NAMES) rest[name] = Math.max(0, all[name] - part[name]);
  return rest;
}

export const requestSumsOf = (cell: Cell): RequestSums => ({
  requests: cell.total,
  prompt_tokens: cell.promptTokens,
  completion_tokens: cell.completionTokens,
  energy_requests: cell.energyRequests,
  j: cell.energyJ,
  cost: cell.spent.cost,
  cost_j: cell.spent.costJ,
  co2_g: cell.spent.co2G,
  co2_j: cell.spent.co2J,
  prompt_cost: cell.spent.promptCost,
  completion_cost: cell.spent.completionCost,
  priced_prompt_tokens: cell.spent.pricedPromptTokens,
  priced_completion_tokens: cell.spent.pricedCompletionTokens,
});
