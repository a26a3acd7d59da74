/** When keys end. Boxes learn it, so that they stop the streams of a key that has ended. Pure. */
import type { KeyEnd } from "../../protocol/messages.ts";
import type { IssuedKey } from "./policy.ts";

/** The ends of all keys, by id, as of a version. A key that is missing was deleted. */
export type KeyEnds = { version: number; ends: Record<string, KeyEnd> };

export function keyEndOf({
  policy,
  revoked_at_ms,
}: Pick<IssuedKey, "policy" | "revoked_at_ms">): KeyEnd {
  const expiresMs = policy.expires_at === null ? null : Date.parse(policy.expires_at);
  const isRevoked = revoked_at_ms !== null && revoked_at_ms <= (expiresMs ?? revoked_at_ms);
  return isRevoked
    ? { ends_at_ms: revoked_at_ms, state: "revoked" }
    : { ends_at_ms: expiresMs, state: "expired" };
}

/** Returns the end of one key. */
export const endIn = ({ ends }: KeyEnds, id: string): KeyEnd =>
  ends[id] ?? { ends_at_ms: 0, state: "revoked" };

/** Returns whether a key has ended. */
export const hasEnded = ({ ends_at_ms }: KeyEnd, nowMs: number): boolean =>
  ends_at_ms !== null && ends_at_ms <= nowMs;
