/**
 * `/api/costs`: the sums of requests and of metered energy, grouped. Pure.
 *
 * The meter counts what a box drew while requests were open; records divide that among the requests. The
 * rest is unassigned, so that the parts of a row add up to what the meter counted.
 */
import type { CostRow, Costs } from "../../protocol/api/costs.ts";
import { COST_PERIODS, type CostPeriodLength } from "../../protocol/cost-periods.ts";
import type { Tariff } from "../../protocol/tariff.ts";
import { type Amount, addAmounts, NO_AMOUNT, remainder } from "../counting/amount.ts";
import type { EnergyHour } from "../counting/energy-hours.ts";
import {
  addRequests,
  NO_REQUESTS,
  type RequestSums,
  withoutRequests,
} from "../counting/request-sums.ts";
import { periodNames } from "./local-time.ts";

/** `at` is the start of an hour or less, unix seconds. */
export type RequestPart = { at: number; box: string; model: string; sums: RequestSums };
export type KeyPart = RequestPart & { key: string };
export type EnergyPart = { box: string; hour: EnergyHour };

export type CostsParts = {
  by: Costs["by"];
  timeZone: string;
  model: string | undefined;
  requests: Iterable<RequestPart>;
  energy: Iterable<EnergyPart>;
  /**
   * The part of the requests that keys made. Null if neither the groups nor the filter are keys; without
   * `requests`, it is all that is wanted.
   */
  ofKeys: readonly KeyPart[] | null;
  /** Returns the name of a key; null if it is gone. */
  nameOf: (key: string) => string | null;
  currency: string | null;
  comparedWith: Tariff["compared_with"];
};

/** The sums of one group on one box. */
type Group = {
  requests: RequestSums;
  active: Amount;
  standing: Amount;
  idle: Amount;
};

const EMPTY: Group = {
  requests: NO_REQUESTS,
  active: NO_AMOUNT,
  standing: NO_AMOUNT,
  idle: NO_AMOUNT,
};

/** The group of what belongs to no model, or reached no box. */
const NO_GROUP = null;

/** `isMetered`: the meter of a box with this group was read. */
type Whole = Group & { unassigned: Amount; isMetered: boolean };

export function costRows(parts: CostsParts): Pick<Costs, "rows" | "total"> {
  const groups = groupsOf(parts);
  const rows = [...groups].map(([group, whole]) => ({ group, whole }));
  const isTime = isTimeGroup(parts.by);
  rows.sort((a, b) =>
    isTime
      ? (a.group ?? "") < (b.group ?? "")
        ? -1
        : 1
      : Number(a.group === NO_GROUP) - Number(b.group === NO_GROUP) ||
        joulesOf(b.whole) - joulesOf(a.whole) ||
        b.whole.requests.requests - a.whole.requests.requests,
  );
  const total = rows.reduce<Whole>((sum, { whole }) => added(sum, whole), {
    ...EMPTY,
    unassigned: NO_AMOUNT,
    isMetered: false,
  });
  const rowOf = (group: string | null, whole: Whole) => costRow(group, whole, parts);
  return { rows: rows.map(({ group, whole }) => rowOf(group, whole)), total: rowOf(null, total) };
}

const isTimeGroup = (by: Costs["by"]): by is CostPeriodLength =>
  COST_PERIODS.some((each) => each === by);

/** Sums the parts by group, box by box, and then over the boxes. */
function groupsOf({ by, timeZone, model: only, requests, energy, ofKeys }: CostsParts) {
  const byBox = new Map<string, Map<string | null, Group>>();
  const add = (box: string, group: string | null, change: (group: Group) => Partial<Group>) => {
    const groups = byBox.get(box) ?? new Map<string | null, Group>();
    byBox.set(box, groups);
    const before = groups.get(group) ?? EMPTY;
    groups.set(group, { ...before, ...change(before) });
  };
  const metered = new Set<string>();
  const timeOf = isTimeGroup(by) ? periodNames(by, timeZone) : () => "";
  const groupOf = (at: number, box: string, model: string | null, key: string | null = null) =>
    by === "model"
      ? model || NO_GROUP
      : by === "box"
        ? box || NO_GROUP
        : by === "key"
          ? key
          : timeOf(at);
  for (const { at, box, model, sums } of requests)
    add(box, groupOf(at, box, model), (group) => ({
      requests: addRequests(group.requests, sums),
    }));
  const [isOfKey, hasOthers] = [by === "key", byBox.size > 0];
  for (const { at, box, model, key, sums } of ofKeys ?? []) {
    add(box, groupOf(at, box, model, key), (group) => ({
      requests: addRequests(group.requests, sums),
    }));
    // The rest belongs to no key.
    if (isOfKey && hasOthers)
      add(box, NO_GROUP, (group) => ({ requests: withoutRequests(group.requests, sums) }));
  }
  for (const { box, hour } of energy) {
    metered.add(box);
    for (const { model, ...amount } of hour.standing)
      if (only === undefined || only === model)
        add(box, groupOf(hour.at, box, model), ({ standing }) => ({
          standing: addAmounts(standing, amount),
        }));
    if (only === undefined)
      add(box, groupOf(hour.at, box, NO_GROUP), ({ active, idle }) => ({
        active: addAmounts(active, hour.active),
        idle: addAmounts(idle, hour.idle),
      }));
  }
  const sums = new Map<string | null, Whole>();
  for (const [box, groups] of byBox) {
    const ofRequests = [...groups.values()].reduce<Amount>(
      (sum, { requests }) => addAmounts(sum, requests),
      NO_AMOUNT,
    );
    for (const [group, each] of groups) {
      // The active energy of a box is not divided by model or key, so all of its requests have a part in
      // it.
      const taken = by === "model" || by === "key" ? ofRequests : each.requests;
      const whole = {
        ...each,
        isMetered: metered.has(box),
        unassigned: remainder(each.active, taken),
      };
      const before = sums.get(group);
      sums.set(group, before === undefined ? whole : added(before, whole));
    }
  }
  const rest = sums.get(NO_GROUP);
  if (isOfKey && rest?.requests.requests === 0 && joulesOf(rest) === 0) sums.delete(NO_GROUP);
  return sums;
}

const added = (a: Whole, b: Whole): Whole => ({
  requests: addRequests(a.requests, b.requests),
  active: addAmounts(a.active, b.active),
  unassigned: addAmounts(a.unassigned, b.unassigned),
  standing: addAmounts(a.standing, b.standing),
  idle: addAmounts(a.idle, b.idle),
  isMetered: a.isMetered || b.isMetered,
});

const joulesOf = ({ requests, unassigned, standing, idle }: Whole): number =>
  requests.j + unassigned.j + standing.j + idle.j;

function costRow(
  group: string | null,
  { requests, unassigned, standing, idle, isMetered }: Whole,
  { by, model, currency, comparedWith, ofKeys, nameOf }: CostsParts,
): CostRow {
  const ofRequests: Amount = requests;
  const whole = [unassigned, standing, idle].reduce(addAmounts, ofRequests);
  const hasRequestEnergy = requests.energy_requests > 0 || requests.requests === 0;
  const isKnown = isMetered || requests.energy_requests > 0;
  const ifMetered = (value: number | null) => (isMetered ? value : null);
  // Energy that belongs to no model is not known for one.
  const isPart = model !== undefined || (by !== "key" && ofKeys !== null);
  const ofBox = (value: number | null) => (isPart ? null : ifMetered(value));
  const costOf = (amount: Amount) =>
    currency === null || (amount.cost_j === 0 && amount.j > 0) ? null : figure(amount.cost);
  const per = (cost: number, tokens: number) =>
    currency === null || tokens === 0 ? null : figure((cost / tokens) * MILLION);
  return {
    group,
    requests: requests.requests,
    energy_requests: requests.energy_requests,
    prompt_tokens: requests.prompt_tokens,
    completion_tokens: requests.completion_tokens,
    energy_j: isKnown ? figure(whole.j) : null,
    request_energy_j: hasRequestEnergy ? figure(requests.j) : null,
    standing_energy_j: ifMetered(figure(standing.j)),
    idle_energy_j: ofBox(figure(idle.j)),
    unassigned_energy_j: ofBox(figure(unassigned.j)),
    cost: isKnown ? costOf(whole) : null,
    request_cost: hasRequestEnergy ? costOf(ofRequests) : null,
    standing_cost: ifMetered(costOf(standing)),
    idle_cost: ofBox(costOf(idle)),
    unassigned_cost: ofBox(costOf(unassigned)),
    co2_g: isKnown && (whole.co2_j > 0 || whole.j === 0) ? figure(whole.co2_g) : null,
    unused_share: isMetered && whole.j > 0 ? figure((standing.j + idle.j) / whole.j) : null,
    priced_energy_j: isKnown ? figure(whole.cost_j) : null,
    co2_energy_j: isKnown ? figure(whole.co2_j) : null,
    cost_per_million_input: per(requests.prompt_cost, requests.priced_prompt_tokens),
    cost_per_million_output: per(requests.completion_cost, requests.priced_completion_tokens),
    compared_cost:
      comparedWith === null
        ? null
        : figure(
            (requests.prompt_tokens * comparedWith.input_per_million +
              requests.completion_tokens * comparedWith.output_per_million) /
              MILLION,
          ),
    key_name: by === "key" && group !== null ? nameOf(group) : null,
  };
}

const MILLION = 1e6;

/** Rounds away the noise of sums. */
const figure = (value: number): number => Number(value.toPrecision(12));
