/**
 * People whom the identity provider vouches for: by a token with each call, or by a session that a token
 * began. Their role follows from the settings at each call.
 */
import * as z from "zod";
import { scopesOfRole } from "../protocol/scopes.ts";
import { base64urlOf, bytesOfBase64url } from "./base64.ts";
import { GatewayError } from "./errors.ts";
import { IssuerKeys } from "./identity/issuer-keys.ts";
import { type Person, roleOf } from "./identity/people.ts";
import type { IdentitySettings } from "./identity/settings.ts";
import { type CheckedPerson, personOf } from "./identity/token.ts";
import type { Principal } from "./principal.ts";
import { keyOfSession, type NamedKey, newSession } from "./session.ts";
import type { Settings } from "./settings.ts";
import { withoutGuesses } from "./wrong-keys.ts";

/** A working day. A session sends nothing to the provider. */
export const PERSON_SESSION_MS = 8 * 60 * 60_000;

/** Records have room for an id of this length. */
const ID_CHARS_MAX = 64;

const issuerKeys = new WeakMap<IdentitySettings, IssuerKeys>();

/** @throws {GatewayError} `token_refused`, later the more wrong ones the address sends; `issuer_silent` */
export async function personWith(
  request: Request,
  identity: IdentitySettings,
  token: string,
): Promise<Person> {
  const keys = issuerKeys.get(identity) ?? new IssuerKeys(identity);
  issuerKeys.set(identity, keys);
  let checked: CheckedPerson | null = null;
  await withoutGuesses(request, async () => {
    checked = await personOf(token, identity, keys, Date.now);
    const isWrong = "failure" in checked && checked.failure.reason === "token_refused";
    return isWrong ? null : checked;
  });
  return orThrow(checked);
}

function orThrow(checked: CheckedPerson | null): Person {
  if (checked === null) throw new GatewayError({ reason: "issuer_silent" });
  if ("failure" in checked) throw new GatewayError(checked.failure);
  return checked.person;
}

/** @throws {GatewayError} `person_unknown` if no role is theirs */
export function principalOfPerson(
  via: "identity" | "session",
  person: Person,
  { people }: IdentitySettings,
): Principal {
  const { name } = person;
  const role = roleOf(person, people);
  if (role === null) throw new GatewayError({ reason: "person_unknown", identity: name });
  return {
    via,
    keyId: name.slice(0, ID_CHARS_MAX),
    person: { name, role },
    scopes: scopesOfRole(role),
    key: null,
  };
}

/** The start of sessions of people, where those of keys have the id of the key. */
const PERSON = "~";

const Claimed = z.tuple([z.string().min(1), z.array(z.string())]);

/** Begins a session. The cookie contains the name and groups of the person, signed. */
const sessionOfPerson = (
  { name, groups }: Person,
  settings: Settings,
  nowMs: number,
): Promise<{ value: string; expiresMs: number }> => {
  const [named] = namedKeys(PERSON + encoded(JSON.stringify([name, groups])), settings);
  if (named === undefined) throw new GatewayError({ reason: "keys_off" });
  return newSession(named, nowMs, PERSON_SESSION_MS);
};

/**
 * Exchanges a token of the identity provider for a session.
 * @throws {GatewayError} `token_refused`, `person_unknown`, `issuer_silent`, `sign_in_off`
 */
export async function sessionOfToken(
  request: Request,
  settings: Settings,
  token: string,
  nowMs: number,
): Promise<{ principal: Principal; session: { value: string; expiresMs: number } }> {
  const { identity } = settings;
  if (identity === null) throw new GatewayError({ reason: "sign_in_off" });
  const person = await personWith(request, identity, token);
  const principal = principalOfPerson("identity", person, identity);
  return { principal, session: await sessionOfPerson(person, settings, nowMs) };
}

/** Returns the person of a session; null if it is that of a key, has ended, or is not ours. */
export async function personOfSession(
  value: string,
  settings: Settings,
  nowMs: number,
): Promise<Person | null> {
  if (settings.identity === null || !value.startsWith(PERSON)) return null;
  const keyId = value.split(".")[0] ?? "";
  if ((await keyOfSession(value, namedKeys(keyId, settings), nowMs)) === null) return null;
  const claimed = Claimed.safeParse(JSON.parse(decoded(keyId.slice(PERSON.length))));
  return claimed.success ? { name: claimed.data[0], groups: claimed.data[1] } : null;
}

/** Sessions of people are signed with the secrets behind the keys that the edge makes, newest first. */
const namedKeys = (keyId: string, { peppers }: Settings): NamedKey[] =>
  peppers.map((pepper) => ({ keyId, key: `session of a person ${pepper}` }));

const encoded = (text: string): string => base64urlOf(new TextEncoder().encode(text));
const decoded = (text: string): string => new TextDecoder().decode(bytesOfBase64url(text));
