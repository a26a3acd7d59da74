/**
 * Sessions: a cookie stands for the API key of a browser that has signed in. Script cannot read it.
 *
 * It names a key and an expiry, signed with a key that is derived from that API key. So it does not
 * contain the API key, nothing is stored, and replacing the API key ends its sessions.
 */

import { DAY_MS } from "../protocol/day.ts";
import { bytesOfHex, hexOf } from "./hex.ts";

/** An API key, and the name under which records and sessions mention it. */
export type NamedKey = { keyId: string; key: string };

/** A lost laptop stays signed in no longer. */
const SESSION_MS = 7 * DAY_MS;

/** `__Host-` has the browser refuse the cookie from a sibling domain, from a path, and over plain http. */
const SECURE_NAME = "__Host-session";

const encoder = new TextEncoder();

/** Returns the value of a new session's cookie. */
export async function newSession(
  named: NamedKey,
  nowMs: number,
  lastsMs = SESSION_MS,
): Promise<{ value: string; expiresMs: number }> {
  const expiresMs = nowMs + lastsMs;
  const claim = `${named.keyId}.${expiresMs}`;
  const signature = await crypto.subtle.sign(
    "HMAC",
    await signingKey(named),
    encoder.encode(claim),
  );
  return { value: `${claim}.${hexOf(signature)}`, expiresMs };
}

/** Returns the key of these that a session stands for, or null if it has ended or is not ours. */
export async function keyOfSession<Key extends NamedKey>(
  value: string,
  keys: readonly Key[],
  nowMs: number,
): Promise<Key | null> {
  const [, keyId, expiresMs, hex] = /^([\w~-]+)\.(\d{1,15})\.([0-9a-f]{64})$/.exec(value) ?? [];
  if (hex === undefined || Number(expiresMs) <= nowMs) return null;
  const signature = bytesOfHex(hex);
  const claim = encoder.encode(`${keyId}.${expiresMs}`);
  // A key has several texts while an older pepper is in use.
  for (const named of keys.filter((each) => each.keyId === keyId))
    if (await crypto.subtle.verify("HMAC", await signingKey(named), signature, claim)) return named;
  return null;
}

/** Returns the session that a request carries; null without one. */
export const sessionOf = (request: Request): string | null =>
  cookieIn(request, cookieName(request));

function cookieIn(request: Request, name: string): string | null {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return null;
}

/**
 * Returns the `Set-Cookie` of an answer. The cookie has no age, so it also ends with the browser.
 * @param value  null to sign out
 */
export function cookieOf(request: Request, value: string | null): string {
  const isSecure = new URL(request.url).protocol === "https:";
  return [
    `${cookieName(request)}=${value ?? ""}`,
    "Path=/",
    "HttpOnly",
    "SameSite=Strict",
    ...(isSecure ? ["Secure"] : []),
    ...(value === null ? ["Max-Age=0"] : []),
  ].join("; ");
}

/**
 * Returns whether a page sent a request: the edge's own, or another. Null if it has no header of a browser.
 * Browsers send `Sec-Fetch-Site` to every https and loopback address; elsewhere the origin decides.
 */
export function senderOf({ headers, url }: Request): "own_page" | "other_page" | null {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site === null && origin === null) return null;
  const isOwn =
    site === null ? origin === new URL(url).origin : site === "same-origin" || site === "none";
  return isOwn ? "own_page" : "other_page";
}

/** The cookie of a sign-in that has begun. It comes back from the issuer, another site. */
export const BEGUN_S = 600;

/** @param value  null to delete it */
export function begunCookieOf(request: Request, value: string | null): string {
  const isSecure = new URL(request.url).protocol === "https:";
  return [
    `${begunCookieName(request)}=${value ?? ""}`,
    "Path=/",
    "HttpOnly",
    "SameSite=Lax",
    ...(isSecure ? ["Secure"] : []),
    `Max-Age=${value === null ? 0 : BEGUN_S}`,
  ].join("; ");
}

/** Returns the value of that cookie; null without one. */
export const begunOf = (request: Request): string | null =>
  cookieIn(request, begunCookieName(request));

const begunCookieName = (request: Request): string => `${cookieName(request)}-begun`;

/** Cookies ignore the port, so two local edges need two names. */
function cookieName(request: Request): string {
  const { protocol, port } = new URL(request.url);
  return protocol === "https:" ? SECURE_NAME : `session-${port || 80}`;
}

async function signingKey({ key }: NamedKey): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(key), "HKDF", false, [
    "deriveKey",
  ]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode("session") },
    material,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
}
