/** Limits of keys, and what calls use, for tests. */
import type { KeyLimits } from "../../protocol/api/key-limits.ts";
import type { CallUse } from "../../worker/keys/call-use.ts";

export const limitsOf = (more: Partial<KeyLimits>): KeyLimits => ({
  ...{ parallel: null, requests: null, tokens: null, wh: null, money: null },
  ...more,
});

/** Returns the use of a call. An amount that is left out is 0, and null is unknown. */
export function callUse(amounts: Partial<Record<keyof CallUse, number | null>>): CallUse {
  const use = (amount: number | null = 0) => ({ known: amount ?? 0, isWhole: amount !== null });
  return { tokens: use(amounts.tokens), wh: use(amounts.wh), money: use(amounts.money) };
}
