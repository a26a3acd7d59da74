/**
 * Seals: the signature by which the edge recognises its own facts in the record of an agent.
 *
 * The edge signs the facts that it sends with a request, the agent returns the signature with the
 * record, and the edge accepts those facts only with it. So an agent cannot change them, move them to
 * another request or box, or invent a request. The key never leaves the edge.
 */
import type { RecordSource, RequestRecord } from "../protocol/records.ts";
import { RouteReason } from "../protocol/route.ts";
import { base64urlOf, bytesOfBase64url } from "./base64.ts";

/**
 * The facts in the order in which they are signed. Changing the list makes every earlier seal
 * invalid.
 */
const SEALED = [
  "request_id",
  "box",
  "started_at",
  "edge_ms",
  "endpoint",
  "api",
  "model",
  "stream",
  "key_id",
  "client_ip",
  "user_agent",
] as const satisfies (keyof RequestRecord)[];

/** The facts of a request that the edge knows, and no agent may choose. */
export type SealedFacts = Pick<RequestRecord, (typeof SEALED)[number]>;

/** `id` is public. `secret` has 32 random bytes, in base64url. */
export type SealKey = { id: string; secret: string };

/** `unknown`: there is no seal, or its key is older than those that the edge still has. */
export type Verdict = "valid" | "forged" | "unknown";

/** Returns the source of a request that the edge accepted for this reason. */
export const acceptedSource = (reason: RouteReason | null): RecordSource =>
  reason === "planned" ? "system" : "edge";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const ID_BYTES = 4;
const SECRET_BYTES = 32;

export const newSealKey = (): SealKey => ({
  id: base64urlOf(crypto.getRandomValues(new Uint8Array(ID_BYTES))),
  secret: base64urlOf(crypto.getRandomValues(new Uint8Array(SECRET_BYTES))),
});

/**
 * Returns the seal of these facts: the id of the key, the HMAC, and the reason for the choice of the
 * box, with dots between them. The reason is signed too. It travels in the seal, so that agents which
 * do not know it return it.
 * @param reason  null for an older Aggregator, which would refuse it
 */
export async function sealOf(
  key: SealKey,
  facts: SealedFacts,
  reason: RouteReason | null = null,
): Promise<string> {
  const bytes = bytesOf(facts, reason ?? undefined);
  const signature = await crypto.subtle.sign(HMAC, await imported(key), bytes);
  const seal = `${key.id}.${base64urlOf(new Uint8Array(signature))}`;
  return reason === null ? seal : `${seal}.${reason}`;
}

/** Returns the reason in a seal that is valid; null without a known one. */
export const reasonIn = (seal: string | undefined): RouteReason | null =>
  RouteReason.safeParse(seal?.split(".")[2]).data ?? null;

/**
 * Checks the seal of these facts, in constant time.
 * @param keys  the keys that the edge still has
 */
export async function verdictOn(
  seal: string | undefined,
  facts: SealedFacts,
  keys: readonly SealKey[],
): Promise<Verdict> {
  const [id, signature = "", reason] = seal?.split(".") ?? [];
  const key = keys.find((each) => each.id === id);
  if (key === undefined) return "unknown";
  const given = bytesIn(signature);
  const isOurs =
    given !== null &&
    (await crypto.subtle.verify(HMAC, await imported(key), given, bytesOf(facts, reason)));
  return isOurs ? "valid" : "forged";
}

/** Importing a key costs more than signing with it. An edge has at most a few at a time. */
const keys = new Map<string, Promise<CryptoKey>>();
const KEYS_MAX = 16;

function imported({ secret }: SealKey): Promise<CryptoKey> {
  const known = keys.get(secret);
  if (known !== undefined) return known;
  if (keys.size >= KEYS_MAX) keys.clear();
  const bytes = bytesIn(secret) ?? new Uint8Array();
  const key = crypto.subtle.importKey("raw", bytes, HMAC, false, ["sign", "verify"]);
  keys.set(secret, key);
  return key;
}

const encoder = new TextEncoder();

/** JSON has one form for each list of strings, numbers, booleans and nulls. */
const bytesOf = (facts: SealedFacts, reason: string | undefined): Uint8Array => {
  const values = SEALED.map((name) => facts[name]);
  return encoder.encode(JSON.stringify(reason === undefined ? values : [...values, reason]));
};

/** Null if the text is not base64url. */
function bytesIn(text: string): Uint8Array<ArrayBuffer> | null {
  return /^[A-Za-z0-9_-]*$/.test(text) && text.length % 4 !== 1 ? bytesOfBase64url(text) : null;
}
