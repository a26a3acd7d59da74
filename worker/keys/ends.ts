/** When keys end, and why. Boxes learn it, so that they stop the streams of a key that has ended. Pure. */
import type { KeyEnd } from "../../protocol/call-end.ts";
import type { IssuedKey } from "./policy.ts";

/** The ends of all keys, by id, as of a version. A key that is missing was deleted. */
export type KeyEnds = { version: number; ends: Record<string, KeyEnd> };

/** The end of a key that was deleted. */
export const DELETED: KeyEnd = { ends_at_ms: 0, state: "revoked" };

export function keyEndOf({
  policy,
  revoked_at_ms,
  replaced_by,
}: Pick<IssuedKey, "policy" | "revoked_at_ms" | "replaced_by">): KeyEnd {
  const expiresMs = policy.expires_at === null ? null : Date.parse(policy.expires_at);
  if (revoked_at_ms === null) return { ends_at_ms: expiresMs, state: "expired" };
  const endsMs = Math.min(revoked_at_ms, expiresMs ?? revoked_at_ms);
  if (replaced_by === null) return { ends_at_ms: endsMs, state: "revoked" };
  return endsMs === revoked_at_ms
    ? { ends_at_ms: endsMs, state: "replaced", replaced_by }
    : { ends_at_ms: endsMs, state: "expired" };
}

export type KeyState = "valid" | KeyEnd["state"];

export function stateOf(key: IssuedKey, nowMs: number): KeyState {
  const end = keyEndOf(key);
  return hasEnded(end, nowMs) ? end.state : "valid";
}

/** Returns the end of one key. */
export const endIn = ({ ends }: KeyEnds, id: string): KeyEnd => ends[id] ?? DELETED;

/** Returns whether a key has ended. */
export const hasEnded = ({ ends_at_ms }: KeyEnd, nowMs: number): boolean =>
  ends_at_ms !== null && ends_at_ms <= nowMs;
