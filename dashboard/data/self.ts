/** The key of this browser: what it may do, and so what the page shows. */
import { signal } from "@preact/signals";
import type { OwnKey } from "../../protocol/api/keys.ts";
import { ApiFailure, read } from "./api.ts";

/** Null until the edge has answered. */
export const self = signal<OwnKey | null>(null);

type ScopeNames = OwnKey["scopes"];

/** Returns true also while the scopes are unknown: almost everybody who opens the page may read. */
export const hasScope = (scope: ScopeNames[number]): boolean =>
  self.value === null || self.value.scopes.includes(scope);

/** Returns whether the edge needs neither a key nor a sign-in, so it makes no keys and no join codes. */
export const isOpenEdge = (): boolean =>
  self.value !== null && self.value.key === null && self.value.person === null;

/** @throws {ApiFailure} if nobody is signed in */
export async function loadSelf(): Promise<void> {
  self.value = await read("/api/keys/self");
}

/**
 * Returns whether an error only means that this key may not read what everybody's requests show. Such a
 * key still has a page of its own.
 */
export async function isOutOfScope(error: unknown): Promise<boolean> {
  if (!(error instanceof ApiFailure) || error.status !== 403) return false;
  await loadSelf().catch(() => {});
  return self.value !== null && !hasScope("stats");
}
