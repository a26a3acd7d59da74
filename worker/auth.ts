/**
 * Authentication: who calls, and what they may do. Keys are configured with the Worker, or were made
 * by the edge. People have a token of the identity provider, or a session.
 *
 * Keys are hashed first and compared in constant time, so the time taken reveals neither their length
 * nor their content. Only a key whose MAC is right is looked up, so nothing here wakes a Durable Object
 * for a stranger, who costs one Worker request.
 */
import { KeyId } from "../protocol/api/keys.ts";
import type { Scope } from "../protocol/routes.ts";
import { allowedBy, SCOPES } from "../protocol/scopes.ts";
import { GatewayError } from "./errors.ts";
import { isPersonToken } from "./identity/token.ts";
import { hasEnded, keyEndOf } from "./keys/ends.ts";
import type { ConfiguredKeyId } from "./keys/names.ts";
import { isPageOf } from "./keys/policy.ts";
import { isToken, type Pepper, pepperOf, recognise, tokenOf } from "./keys/token.ts";
import { isOnLoopback, isOwnOrigin, mayCall } from "./origins.ts";
import type { FoundKey, Principal } from "./principal.ts";
import { keyOfSession, type NamedKey, newSession, senderOf, sessionOf } from "./session.ts";
import type { Settings } from "./settings.ts";
import { personOfSession, personWith, principalOfPerson, sessionOfToken } from "./sign-in.ts";
import { withoutGuesses } from "./wrong-keys.ts";

/** Finds a key that the edge made; null if it was deleted. */
export type FindKey = (id: string) => Promise<FoundKey | null>;

/**
 * Returns the caller of a request.
 * @param pathKey  the key of `/ollama/k/<key>/…`, for the `ollama` CLI, which cannot send headers
 * @param findKey  called only for a key that the edge made
 * @throws {GatewayError} if the call may not pass at all
 */
export async function principalOf(
  request: Request,
  settings: Settings,
  pathKey: string | null,
  findKey: FindKey,
): Promise<Principal> {
  if (settings.authMode === "open") {
    checkLoopback(request, settings);
    return { via: "open", keyId: null, person: null, scopes: new Set(SCOPES), key: null };
  }
  const { identity } = settings;
  const offered = pathKey ?? keyIn(request.headers);
  if (offered !== null && identity !== null && isPersonToken(offered))
    return principalOfPerson("identity", await personWith(request, identity, offered), identity);
  if (offered !== null) {
    const key = await keyNamed(request, offered, settings);
    const principal = await principalWith("key", key, findKey);
    checkPage(request, principal);
    return principal;
  }
  const session = sessionOf(request);
  const assertion = identity === null ? null : request.headers.get(ACCESS_HEADER);
  if (session === null && assertion === null) throw new GatewayError({ reason: "no_key" });
  checkSender(request, assertion !== null);
  const ofSession = session === null ? null : await principalOfSession(session, settings, findKey);
  if (ofSession !== null) return ofSession;
  if (identity === null || assertion === null) throw new GatewayError({ reason: "session_ended" });
  return principalOfPerson("identity", await personWith(request, identity, assertion), identity);
}

/** Cloudflare Access adds it to each request, whose browser sent a cookie of Access on its own. */
const ACCESS_HEADER = "cf-access-jwt-assertion";

/**
 * A browser sends a cookie on its own, so only our page may act with it. Behind Cloudflare Access the
 * address is always https, where each browser names the sender: a request without one is of a program.
 */
function checkSender(request: Request, isBehindAccess: boolean): void {
  const sender = senderOf(request);
  const isReading = request.method === "GET" || request.method === "HEAD";
  if (sender === "other_page" || (sender === null && !isReading && !isBehindAccess))
    throw new GatewayError({ reason: "foreign_page" });
}

/** @throws {GatewayError} `page_forbidden` if a page uses a key that is for others */
function checkPage(request: Request, { key }: Principal): void {
  const policy = key?.issued.policy;
  const origin = request.headers.get("origin");
  if (policy === undefined || policy.origins === null || origin === null) return;
  if (!isOwnOrigin(request, origin) && !isPageOf(policy, origin))
    throw new GatewayError({ reason: "page_forbidden", origin: origin.slice(0, 200) });
}

/** Returns null if the session has ended, or is not ours. */
async function principalOfSession(
  session: string,
  settings: Settings,
  findKey: FindKey,
): Promise<Principal | null> {
  const person = await personOfSession(session, settings, Date.now());
  if (person !== null && settings.identity !== null)
    return principalOfPerson("session", person, settings.identity);
  const keys = [...configuredKeys(settings), ...(await issuedOfSession(session, settings))];
  const key = await keyOfSession(session, keys, Date.now());
  return key === null ? null : principalWith("session", key, findKey);
}

/**
 * Exchanges a key, or a token of the identity provider, for a session. Open mode needs none.
 * @throws {GatewayError} `key_unknown`, `token_refused`, `person_unknown`
 */
export async function sessionFor(
  request: Request,
  settings: Settings,
  offered: string,
  nowMs: number,
  findKey: FindKey,
): Promise<{ principal: Principal; session: { value: string; expiresMs: number } | null }> {
  if (settings.authMode === "open")
    return { principal: await principalOf(request, settings, null, findKey), session: null };
  const { identity } = settings;
  if (identity !== null && isPersonToken(offered)) {
    return sessionOfToken(request, settings, offered, nowMs);
  }
  const key = await keyNamed(request, offered, settings);
  const principal = await principalWith("key", key, findKey);
  return { principal, session: await newSession(key, nowMs) };
}

/** `scopes` is null for a key that the edge made: they are kept under its id. */
type KnownKey = NamedKey & { scopes: Scope[] | null };

/** @throws {GatewayError} `key_unknown`, `key_ended` */
async function principalWith(
  via: Principal["via"],
  { keyId, scopes }: KnownKey,
  findKey: FindKey,
): Promise<Principal> {
  if (scopes !== null) return { via, keyId, person: null, scopes: allowedBy(scopes), key: null };
  const key = await findKey(keyId);
  if (key === null) throw new GatewayError({ reason: "key_unknown" });
  const end = keyEndOf(key.issued);
  if (hasEnded(end, Date.now())) throw new GatewayError({ reason: "key_ended", ...end });
  return { via, keyId, person: null, scopes: allowedBy(key.issued.policy.scopes), key };
}

/** A key that is configured with the Worker. */
export type ConfiguredKey = NamedKey & { scopes: Scope[] };

/** Returns the keys that are configured with the Worker. */
export function configuredKeys({
  adminKey,
  callerKey,
  readKey,
  statsKey,
  metricsKey,
}: Settings): ConfiguredKey[] {
  const keys: [string | null, ConfiguredKeyId, readonly Scope[]][] = [
    [adminKey, "admin", SCOPES],
    [callerKey, "caller", ["infer"]],
    [readKey, "read", ["read"]],
    [statsKey, "stats", ["metrics", "stats"]],
    [metricsKey, "metrics", ["metrics"]],
  ];
  return keys.flatMap(([key, keyId, scopes]) =>
    key === null ? [] : [{ key, keyId, scopes: [...allowedBy(scopes)] }],
  );
}

/**
 * @throws {GatewayError} `key_unknown` or `key_outdated`, later the more wrong keys the address sends;
 *                        `guessing_keys`
 */
async function keyNamed(request: Request, offered: string, settings: Settings): Promise<KnownKey> {
  let reason: "key_unknown" | "key_outdated" = "key_unknown";
  const found = await withoutGuesses(request, async () => {
    if (!isToken(offered)) return configuredKey(offered, settings);
    const recognised = await recognise(offered, await peppersOf(settings));
    if (recognised === "old_pepper") reason = "key_outdated";
    if (typeof recognised === "string") return null;
    return { keyId: recognised.id, key: offered, scopes: null };
  });
  if (found === null) throw new GatewayError({ reason });
  return found;
}

/** Compares every key, even after a match, so that the time taken does not reveal which one it was. */
async function configuredKey(offered: string, settings: Settings): Promise<KnownKey | null> {
  const [digest, known] = await Promise.all([digestOf(offered), digestsOf(settings)]);
  let found: KnownKey | null = null;
  for (const { named, digest: key } of known) if (isEqual(digest, key)) found = named;
  return found;
}

/** Returns the keys that the edge may have made for the session that names one of them. */
async function issuedOfSession(session: string, settings: Settings): Promise<KnownKey[]> {
  const keyId = session.split(".")[0] ?? "";
  if (!KeyId.safeParse(keyId).success) return [];
  const peppers = await peppersOf(settings);
  return Promise.all(
    peppers.map(async (pepper) => ({ keyId, key: await tokenOf(pepper, keyId), scopes: null })),
  );
}

const peppers = new WeakMap<Settings, Promise<Pepper[]>>();

/** Returns the peppers of the keys that the edge makes, newest first. */
export function peppersOf(settings: Settings): Promise<Pepper[]> {
  const known = peppers.get(settings) ?? Promise.all(settings.peppers.map(pepperOf));
  peppers.set(settings, known);
  return known;
}

/**
 * A box without a secret takes as long as one with another secret, so the time taken does not reveal
 * its name.
 * @throws {GatewayError} unless the agent of this box may connect
 */
export async function admitAgent(request: Request, settings: Settings, box: string): Promise<void> {
  const secret = settings.boxSecrets.get(box);
  if (secret === undefined && settings.authMode === "open") return checkLoopback(request, settings);
  const offered = bearerOf(request.headers) ?? "";
  const found = await withoutGuesses(request, async () =>
    (await isSame(offered, secret ?? "")) && secret !== undefined ? secret : null,
  );
  if (found === null) throw new GatewayError({ reason: "box_secret_unknown", box });
}

/**
 * Restricts open mode to one machine. The host name must be loopback, which a rebound DNS name is not.
 * A web page of another origin may not call: the browser reaches loopback although its author cannot.
 */
function checkLoopback(request: Request, { corsOrigins }: Settings): void {
  if (!isOnLoopback(request.url)) throw new GatewayError({ reason: "open_mode_elsewhere" });
  const origin = request.headers.get("origin");
  if (origin === null || isOwnOrigin(request, origin)) return;
  if (!mayCall(request, origin, corsOrigins))
    throw new GatewayError({ reason: "foreign_origin", origin: origin.slice(0, 200) });
}

const keyIn = (headers: Headers): string | null =>
  bearerOf(headers) ?? passwordOf(headers) ?? headers.get("x-api-key");

/**
 * Returns the password of `http://user:password@host`, or the user of `http://user@host`. No challenge
 * names these credentials, so no browser keeps them and sends them on its own.
 */
function passwordOf(headers: Headers): string | null {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (encoded === undefined || encoded.replace(/=+$/, "").length % 4 === 1) return null;
  const [user = "", ...rest] = atob(encoded.replace(/=+$/, "")).split(":");
  return rest.join(":") || user;
}

function bearerOf(headers: Headers): string | null {
  return /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? null;
}

async function isSame(offered: string, key: string): Promise<boolean> {
  const [a, b] = await Promise.all([digestOf(offered), digestOf(key)]);
  return isEqual(a, b);
}

type Digests = { named: KnownKey; digest: ArrayBuffer }[];

const digests = new WeakMap<Settings, Digests>();

/** Returns the digests of the configured keys, which stay the same in an isolate. */
async function digestsOf(settings: Settings): Promise<Digests> {
  const known = digests.get(settings);
  if (known !== undefined) return known;
  const made = await Promise.all(
    configuredKeys(settings).map(async (named) => ({ named, digest: await digestOf(named.key) })),
  );
  digests.set(settings, made);
  return made;
}

/** Takes the same time, wherever the digests differ. */
const isEqual = (a: ArrayBuffer, b: ArrayBuffer): boolean => crypto.subtle.timingSafeEqual(a, b);

const encoder = new TextEncoder();
const digestOf = (text: string) => crypto.subtle.digest("SHA-256", encoder.encode(text));
