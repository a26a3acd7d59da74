/** How keys are made, changed, replaced and revoked. Pure. */
import {
  type Key,
  type KeyChange,
  KeyPolicy,
  type KeyUsage,
  NO_USAGE,
} from "../../protocol/api/keys.ts";
import { stateOf } from "./ends.ts";
import { type IssuedKey, lineageOf, matches, mayUseBox } from "./policy.ts";

export const newIssuedKey = (id: string, policy: KeyPolicy, nowMs: number): IssuedKey => ({
  id,
  policy,
  created_at_ms: nowMs,
  revoked_at_ms: null,
  replaced_by: null,
});

export const changed = (key: IssuedKey, change: KeyChange): IssuedKey => ({
  ...key,
  policy: KeyPolicy.parse({ ...key.policy, ...change }),
});

/** A key that is to end anyway ends no later. */
export const revoked = (key: IssuedKey, atMs: number): IssuedKey => ({
  ...key,
  revoked_at_ms: Math.min(atMs, key.revoked_at_ms ?? atMs),
  replaced_by: null,
});

/** @returns the old key, which ends after the overlap, and the new one, which may do the same */
export function rotated(
  key: IssuedKey,
  newId: string,
  overlapMs: number,
  nowMs: number,
): { old: IssuedKey; next: IssuedKey } {
  const old = { ...revoked(key, nowMs + overlapMs), replaced_by: newId };
  const next = { ...newIssuedKey(newId, key.policy, nowMs), lineage: lineageOf(key) };
  return { old, next };
}

/** Returns a key as the API shows it. */
export const shownKey = (key: IssuedKey, nowMs: number, usage: KeyUsage = NO_USAGE): Key => ({
  id: key.id,
  ...key.policy,
  source: "edge",
  state: stateOf(key, nowMs),
  created_at: timeOf(key.created_at_ms),
  revoked_at: key.revoked_at_ms === null ? null : timeOf(key.revoked_at_ms),
  replaced_by: key.replaced_by,
  usage,
});

const timeOf = (ms: number): string => new Date(ms).toISOString();

/** More names would hide the warning that they belong to. */
const MODELS_NAMED_MAX = 20;

/**
 * Returns what may be a mistake in a policy.
 * @param known  the models of each box
 */
export function warningsAbout(
  policy: KeyPolicy,
  known: readonly { box: string; models: readonly string[] }[],
): string[] {
  const own = known.filter(({ box }) => mayUseBox(policy, box)).flatMap(({ models }) => models);
  const there = [...new Set(own)].sort();
  const named = there.slice(0, MODELS_NAMED_MAX).join(", ");
  const more = there.length - MODELS_NAMED_MAX;
  const all = `${named}${more > 0 ? ` and ${more} more` : ""}`;
  const boxes = policy.boxes === null ? "the boxes" : "the boxes of this key";
  return (policy.models ?? [])
    .filter((pattern) => !there.some((model) => matches(pattern, model)))
    .map((pattern) =>
      there.length === 0
        ? `The pattern "${pattern}" matches nothing now: ${boxes} have no models.`
        : `The pattern "${pattern}" matches none of the models on ${boxes} now: ${all}.`,
    );
}

/** @param currency  the currency of the tariff; null without one, and then nothing has a price */
export const limitsFlaw = (
  { limits }: Pick<KeyPolicy, "limits">,
  currency: string | null,
): string | null =>
  limits === null || limits.money === null || currency !== null
    ? null
    : "limits.money: calls have no price without a tariff. Set one with PUT /api/tariff first.";

/** A policy that nobody could use, and why; null if it is fine. @param boxes  the known boxes */
export function flawOf(
  policy: Pick<KeyPolicy, "boxes" | "expires_at">,
  boxes: readonly string[],
  nowMs: number,
): string | null {
  if (policy.expires_at !== null && Date.parse(policy.expires_at) <= nowMs)
    return `expires_at: ${policy.expires_at} is in the past.`;
  const unknown = policy.boxes?.find((box) => !boxes.includes(box));
  return unknown === undefined ? null : `boxes: there is no box named ${unknown}.`;
}
