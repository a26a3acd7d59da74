/** The session of this browser: a cookie that script cannot read stands for the API key. */
import { signal } from "@preact/signals";
import { SIGN_IN_FAILED } from "../../protocol/sign-in.ts";
import { type ApiFailure, callJson } from "./api.ts";
import { loadSelf, self } from "./self.ts";

/**
 * Null unless the page needs a key. Holds the reason the last session or key was rejected, or an empty
 * string if nobody has signed in.
 */
export const locked = signal<string | null>(null);

/**
 * The key that was typed into this tab, for the lines that set up a client. Null after a reload, since
 * it is kept nowhere else. Never a key of an administrator: no client needs one.
 */
export const typedKey = signal<string | null>(null);

/** Shows the sign-in form, because the edge refused a request. */
export function lock({ code, message }: ApiFailure): void {
  typedKey.value = null;
  locked.value = code === "unauthorized" ? "" : message;
}

const SIGN_IN_FAILURES: Record<string, string> = {
  identity_not_admitted: "You have no role here. Ask the owner of this edge to add you.",
  identity_unchecked: "The identity provider does not answer. Try again.",
  sign_in_expired: "The sign-in took too long, or began in another browser. Sign in again.",
};

/** Returns why a sign-in at the identity provider failed, and takes it out of the address; null if none did. */
export function failedSignIn(): string | null {
  const url = new URL(location.href);
  const code = url.searchParams.get(SIGN_IN_FAILED);
  if (code === null) return null;
  url.searchParams.delete(SIGN_IN_FAILED);
  history.replaceState(null, "", url);
  return SIGN_IN_FAILURES[code] ?? "The identity provider did not sign you in. Try again.";
}

/** @throws {ApiFailure} if the key is not valid */
export async function signIn(key: string): Promise<void> {
  const { scopes } = await callJson("POST", "/api/session", { body: { key } });
  await loadSelf();
  typedKey.value = scopes.includes("admin") ? null : key;
  locked.value = null;
}

export async function signOut(): Promise<void> {
  await callJson("DELETE", "/api/session");
  typedKey.value = null;
  self.value = null;
  locked.value = "";
}
