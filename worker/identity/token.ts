/**
 * Tokens of people (JWT), as an issuer signs them: checked completely before anything in them is believed.
 *
 * Claims that need no key are checked first, so that only a token that could be valid makes the keys be
 * fetched.
 */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from "jose";
import * as z from "zod";
import { hexOf } from "../hex.ts";
import type { IdentityFailure } from "./failures.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import { mentionedGroups, type Person } from "./people.ts";
import type { IdentitySettings } from "./settings.ts";

/** Public keys only: with a shared secret, the edge could make tokens too. */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
/** Clocks of the issuer and the edge may differ by this. */
const SKEW_S = 60;
/** Enough for a token with hundreds of groups. Longer ones are not parsed. */
const TOKEN_CHARS_MAX = 16_384;
/** A list of groups beyond this is not read. */
const GROUPS_MAX = 1_000;

const Claims = z.object({
  sub: z.string().min(1).max(500).optional(),
  email: z.string().max(320).optional(),
  email_verified: z.union([z.boolean(), z.enum(["true", "false"])]).optional(),
  iat: z.number().optional(),
});
const Groups = z.array(z.union([z.string(), z.object({ name: z.string() })])).max(GROUPS_MAX);

/** Returns whether a text has the form of a token. */
export const isPersonToken = (text: string): boolean =>
  /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(text.slice(0, TOKEN_CHARS_MAX + 1));

export type CheckedPerson = { person: Person; expiresMs: number } | { failure: IdentityFailure };

export async function personOf(
  token: string,
  settings: IdentitySettings,
  keys: IssuerKeys,
  clock: () => number,
): Promise<CheckedPerson> {
  if (token.length > TOKEN_CHARS_MAX) return refused("it is too long");
  const keyId = keyIdOf(token, settings, clock());
  if (typeof keyId !== "string") return refused(keyId.flaw);
  const find = await keys.for(keyId, clock);
  if (find === null) return { failure: { reason: "issuer_silent" } };
  try {
    const { payload } = await jwtVerify(token, find, checksOf(settings, clock()));
    const claims = Claims.safeParse(payload);
    if (!claims.success) return refused(`the claim ${String(claims.error.issues[0]?.path[0])}`);
    const { iat = 0 } = claims.data;
    if (iat * 1_000 > clock() + SKEW_S * 1_000) return refused("it was issued in the future");
    const name = await nameOf(claims.data);
    if (name === null) return refused("it names no person: no email and no sub");
    const groups = groupsOf(payload[settings.groupsClaim]);
    return {
      person: { name, groups: mentionedGroups(groups, settings.people) },
      expiresMs: (payload.exp ?? 0) * 1_000,
    };
  } catch (error) {
    return refused(flawOf(error));
  }
}

const refused = (flaw: string): { failure: IdentityFailure } => ({
  failure: { reason: "token_refused", flaw },
});

const checksOf = ({ issuer, audiences }: IdentitySettings, nowMs: number) => ({
  issuer,
  audience: [...audiences],
  algorithms: ALGORITHMS,
  clockTolerance: SKEW_S,
  currentDate: new Date(nowMs),
  requiredClaims: ["exp", "iss", "aud"],
});

/** Returns the id of the key that a token names, if its claims could be valid. */
function keyIdOf(
  token: string,
  { issuer, audiences }: IdentitySettings,
  nowMs: number,
): string | { flaw: string } {
  try {
    const { alg, kid, crit } = decodeProtectedHeader(token);
    if (alg === undefined || !ALGORITHMS.includes(alg)) return { flaw: "its algorithm" };
    if (typeof kid !== "string" || kid.length > 200) return { flaw: "it names no key (kid)" };
    if (crit !== undefined) return { flaw: "it has extensions (crit)" };
    const { iss, aud, exp } = decodeJwt(token);
    if (iss !== issuer) return { flaw: "its issuer (iss)" };
    if (![aud].flat().some((each) => each !== undefined && audiences.includes(each)))
      return { flaw: "its audience (aud)" };
    if (typeof exp !== "number") return { flaw: "it has no expiry (exp)" };
    if ((exp + SKEW_S) * 1_000 <= nowMs) return { flaw: "it has expired (exp)" };
    return kid;
  } catch {
    return { flaw: "its form" };
  }
}

function flawOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired (exp)";
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim ${error.claim}`;
  if (error instanceof errors.JWKSNoMatchingKey) return "its key (kid) is unknown";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature";
  return "its form";
}

/** An email counts unless the issuer states that nobody verified it. */
async function nameOf({ email, email_verified, sub }: z.infer<typeof Claims>) {
  const isVerified = email_verified !== false && email_verified !== "false";
  if (email !== undefined && isVerified && /^[^\s@]+@[^\s@]+$/.test(email))
    return email.toLowerCase();
  if (sub === undefined) return null;
  // Short enough for the id of a key in records, and no text of a stranger's choice.
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(sub));
  return `sub-${hexOf(digest).slice(0, 32)}`;
}

/** Reads names, or objects with a name, as Cloudflare Access lists some providers' groups. */
function groupsOf(claim: unknown): string[] {
  const groups = Groups.safeParse(typeof claim === "string" ? [claim] : claim);
  if (!groups.success) return [];
  return groups.data.map((group) => (typeof group === "string" ? group : group.name));
}
