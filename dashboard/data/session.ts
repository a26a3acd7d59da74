/** The session of this browser: a cookie that script cannot read stands for the API key. */
import { signal } from "@preact/signals";
import { type ApiFailure, callJson } from "./api.ts";

/**
 * Null unless the page needs a key. Holds the reason the last session or key was rejected, or an empty
 * string if nobody has signed in.
 */
export const locked = signal<string | null>(null);

/** Shows the sign-in form, because the edge refused a request. */
export function lock({ code, message }: ApiFailure): void {
  locked.value = code === "unauthorized" ? "" : message;
}

/** @throws {ApiFailure} if the key is not valid */
export async function signIn(key: string): Promise<void> {
  await callJson("POST", "/api/session", { body: { key } });
  locked.value = null;
}

export async function signOut(): Promise<void> {
  await callJson("DELETE", "/api/session");
  locked.value = "";
}
