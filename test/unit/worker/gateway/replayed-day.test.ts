/** Whole days of calls, replayed through the real choice and through simpler ones. */
import { expect, test } from "vitest";
import { estimatesOf, wantedPrompt } from "../../../../worker/gateway/choice/estimate.ts";
import { type Day, POLICIES, type Policy, replay } from "../../../replay/day.ts";

const SEEDS = [1, 2, 3];

const days = new Map<Policy, Day[]>(
  POLICIES.map((policy) => [policy, SEEDS.map((seed) => replay(policy, seed))]),
);
const dayOf = (policy: Policy, index: number): Day => days.get(policy)?.[index] as Day;

test.each(SEEDS.map((seed, index) => [seed, index]))(
  "callers wait less than with a random box, the least busy or a warm one, on the day of seed %i",
  (_seed, index) => {
    const { waitMeanMs, waitP95Ms, calls } = dayOf("choice", index);
    for (const policy of ["random", "least-busy", "warm-first"] as const) {
      const other = dayOf(policy, index);
      expect(other.calls).toBe(calls);
      expect(waitMeanMs / other.waitMeanMs).toBeLessThan(0.75);
      expect(waitP95Ms).toBeLessThan(other.waitP95Ms);
    }
  },
);

test("cold loads stay near those of the policy that avoids them", () => {
  for (const [index] of SEEDS.entries())
    expect(dayOf("choice", index).coldLoads).toBeLessThan(0.5 * dayOf("random", index).coldLoads);
});

test("no call waits while an idle holder could have loaded and served it sooner", () => {
  let waiting = 0;
  for (const { call, box, fleet } of dayOf("choice", 0).decisions) {
    const { name: model } = call.model;
    const holders = fleet.filter(({ installed }) => installed.includes(model));
    const wanted = { model, ...wantedPrompt(null), promptTokens: call.promptTokens };
    const estimates = estimatesOf(holders, wanted, ({ models }) => ({
      open: models[model]?.open ?? 0,
      slots: models[model]?.slots ?? null,
    }));
    const chosen = estimates[holders.findIndex(({ name }) => name === box)];
    if (chosen === undefined || chosen.waitMs === 0) continue;
    waiting++;
    for (const [index, { name, models }] of holders.entries()) {
      const isIdle = Object.values(models).every(({ open }) => (open ?? 0) === 0);
      if (name === box || !isIdle) continue;
      expect(estimates[index]?.totalMs).toBeGreaterThanOrEqual(chosen.totalMs - EQUAL_MS);
    }
  }
  expect(waiting).toBeGreaterThan(100);
});

/** Estimates that differ by less are equal. */
const EQUAL_MS = 25;

test("a day can be replayed: the same seed gives the same figures", () => {
  const { decisions: _, ...again } = replay("choice", 1);
  expect(dayOf("choice", 0)).toMatchObject(again);
});
