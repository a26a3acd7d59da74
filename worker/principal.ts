/** The caller of a request: a key or a person, and what it may do. */
import type { Scope } from "../protocol/routes.ts";
import type { Role } from "../protocol/scopes.ts";
import { GatewayError } from "./errors.ts";
import type { IssuedKey } from "./keys/policy.ts";

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
