/** The caller of a request: a key or a person, and what it may do. */
import type { Scope } from "../protocol/routes.ts";
import type { Role } from "../protocol/scopes.ts";
import { GatewayError } from "./errors.ts";
import { type IssuedKey, keyRefusal, mayUseBox } from "./keys/policy.ts";

/** A key that the edge made, as of a version of the keys. */
export type FoundKey = { issued: IssuedKey; version: number };

/** `key` is null for a configured key and for a person, who have no other limits than their scopes. */
export type Principal = {
  /** How the caller was recognised. A session stands for a key or a person. */
  via: "key" | "session" | "identity" | "open";
  /** The id under which records and statistics mention the caller; for a person, the name. */
  keyId: string | null;
  person: { name: string; role: Role } | null;
  scopes: ReadonlySet<Scope>;
  key: FoundKey | null;
};

/** @throws {GatewayError} `scope_missing` */
export function demand(principal: Principal, scope: Scope): void {
  if (!principal.scopes.has(scope)) throw new GatewayError({ reason: "scope_missing", scope });
}

/**
 * Checks a change of one box against the policy of the key, which calls of models are checked against too.
 * @param model  null if the change is of no model
 * @throws {GatewayError} `model_forbidden`, `box_forbidden`
 */
export function demandUse({ key }: Principal, model: string | null, box: string | null): void {
  const refusal =
    key === null ? null : keyRefusal(key.issued.policy, model === null ? [] : [model], box);
  if (refusal !== null) throw new GatewayError(refusal);
}

/** Returns whether the caller may use a box: a change of all boxes leaves the others alone. */
export const mayChange = ({ key }: Principal, box: string): boolean =>
  key === null || mayUseBox(key.issued.policy, box);
