/** The names of keys, for people: a key that the edge made has one, and a configured key that of its setting. Pure. */
import type { IssuedKey } from "./policy.ts";

/** Ids under which records mention the keys that are configured with the Worker. */
export const CONFIGURED_KEY_IDS = ["admin", "caller", "read", "stats", "metrics"] as const;
export type ConfiguredKeyId = (typeof CONFIGURED_KEY_IDS)[number];

const isConfigured = (id: string): boolean => CONFIGURED_KEY_IDS.some((each) => each === id);

export const configuredKeyName = (id: string): string => `${id.toUpperCase()}_KEY`;

/**
 * Returns the name of a key; null if there is no key with this id any more.
 * @param issued  finds a key that the edge made
 */
export const keyNameOf = (
  id: string | null,
  issued: (id: string) => Pick<IssuedKey, "policy"> | null,
): string | null =>
  id === null ? null : isConfigured(id) ? configuredKeyName(id) : (issued(id)?.policy.name ?? null);
