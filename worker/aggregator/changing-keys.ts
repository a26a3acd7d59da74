/** Makes and changes keys, if what they may do makes sense on this edge. */
import type { Key, KeyChange, KeyPolicy } from "../../protocol/api/keys.ts";
import {
  changed,
  flawOf,
  limitsFlaw,
  newIssuedKey,
  revoked,
  rotated,
  shownKey,
  warningsAbout,
} from "../keys/changes.ts";
import { stateOf } from "../keys/ends.ts";
import type { KeyFailure } from "../keys/failures.ts";
import type { IssuedKey } from "../keys/policy.ts";
import type { IssuedKeys } from "./issued-keys.ts";
import { usedKeysOf } from "./key-views.ts";
import type { AggregatorStores } from "./stores.ts";

/** `newId` is the id of a key that does not exist yet. */
export type KeysChange =
  | { act: "make"; newId: string; policy: KeyPolicy }
  | { act: "change"; id: string; change: KeyChange }
  /** A key that has been revoked or replaced is deleted. */
  | { act: "revoke"; id: string }
  | { act: "rotate"; id: string; newId: string; overlapMs: number };

/** Why nothing was changed. */
export type KeyRefusal =
  | { reason: "bad_request"; detail: string }
  | Extract<KeyFailure, { reason: "keys_full" | "key_not_found" | "key_replaced" }>;

/** `key` is the one that was made or changed; as it was, if it was deleted. */
export type KeysChanged =
  | { refusal: KeyRefusal }
  | { refusal: null; key: Key; isDeleted: boolean; warnings: string[] };

/** Returns whether a change deletes a key, which was revoked or replaced before. */
export function deletes(
  change: KeysChange,
  keys: IssuedKeys,
  nowMs: number,
): change is Extract<KeysChange, { act: "revoke" }> {
  if (change.act !== "revoke") return false;
  const key = keys.get(change.id);
  return key !== null && ["revoked", "replaced"].includes(stateOf(key, nowMs));
}

export function changeKeys(
  stores: AggregatorStores,
  change: KeysChange,
  nowMs: number,
): KeysChanged {
  const { issuedKeys } = stores;
  const { usages } = usedKeysOf(stores);
  const currency = stores.tariffs.currency();
  const done = (key: IssuedKey, isDeleted = false, warnings: string[] = []): KeysChanged => ({
    refusal: null,
    key: shownKey(key, nowMs, usages[key.id]),
    isDeleted,
    warnings,
  });
  if ("newId" in change && issuedKeys.isFull) return { refusal: { reason: "keys_full" } };
  if (change.act === "make") {
    const flaw =
      flawOf(change.policy, knownBoxes(stores), nowMs) ?? limitsFlaw(change.policy, currency);
    if (flaw !== null) return { refusal: { reason: "bad_request", detail: flaw } };
    const key = newIssuedKey(change.newId, change.policy, nowMs);
    issuedKeys.put(key);
    return done(key, false, warningsAbout(key.policy, knownModels(stores)));
  }
  const { id } = change;
  const key = issuedKeys.get(id);
  if (key === null) return { refusal: { reason: "key_not_found", id } };
  switch (change.act) {
    case "change": {
      // Only what is changed: a box that was forgotten since must not hinder another name.
      const { boxes = null, expires_at = null } = change.change;
      const after = changed(key, change.change);
      const own = flawOf({ boxes, expires_at }, knownBoxes(stores), nowMs);
      const flaw = own ?? limitsFlaw(after.policy, currency);
      if (flaw !== null) return { refusal: { reason: "bad_request", detail: flaw } };
      issuedKeys.put(after);
      return done(after);
    }
    case "revoke": {
      if (deletes(change, issuedKeys, nowMs)) {
        issuedKeys.delete(id);
        return done(key, true);
      }
      const after = revoked(key, nowMs);
      issuedKeys.put(after);
      return done(after);
    }
    case "rotate": {
      if (stateOf(key, nowMs) !== "valid" || key.replaced_by !== null)
        return { refusal: { reason: "key_replaced", id } };
      const { old, next } = rotated(key, change.newId, change.overlapMs, nowMs);
      issuedKeys.put(old, next);
      return done(next, false, warningsAbout(next.policy, knownModels(stores)));
    }
  }
}

const knownBoxes = ({ registry }: AggregatorStores): string[] =>
  registry.boxes().map(({ name }) => name);

const knownModels = ({ registry }: AggregatorStores): { box: string; models: string[] }[] =>
  registry.boxes().map(({ name, readings }) => ({
    box: name,
    models: (readings?.inventory.models ?? []).map((model) => model.name),
  }));
