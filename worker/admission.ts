/**
 * Admission of boxes: which agent may connect under which name.
 *
 * A certificate is checked with CPU alone: a made-up one costs a MAC, and reaches neither the registry nor a
 * Box.
 */
import { boxProofIn, type Membership, type ProofPurpose } from "../protocol/joining.ts";
import { GatewayError } from "./errors.ts";
import { type Authority, authoritiesOf } from "./joining/authority.ts";
import { checkProof, type Proven } from "./joining/certificate.ts";
import type { JoinFailure } from "./joining/failures.ts";
import type { Settings } from "./settings.ts";
import { withoutGuesses } from "./wrong-keys.ts";

/** Returns the id of the joining of a box that is in force; null without one. */
export type FindJoined = (membership: Membership) => Promise<string | null>;

/** @throws {GatewayError} `keys_off` if the edge has nothing to sign with */
export async function authorityFor({ peppers }: Settings): Promise<Authority> {
  const [authority] = await authoritiesOf(peppers);
  if (authority === undefined) throw new GatewayError({ reason: "keys_off" });
  return authority;
}

/** Slows down those who guess: codes, certificates and keys of boxes. */
export async function orGuessing<Found extends object>(
  request: Request,
  check: () => Promise<Found | JoinFailure>,
): Promise<Found> {
  let failure: JoinFailure = { reason: "certificate_unknown" };
  const found = await withoutGuesses(request, async () => {
    const result = await check();
    if (!("reason" in result)) return result as Found;
    failure = result;
    // Only those are guesses: others have a certificate or a code of this edge.
    if (!GUESSES.has(result.reason)) throw new GatewayError(result);
    return null;
  });
  if (found === null) throw new GatewayError(failure);
  return found;
}

const GUESSES: ReadonlySet<string> = new Set([
  "code_unknown",
  "certificate_unknown",
  "proof_wrong",
]);

/** Returns whether the agent offers a certificate, and not a secret. */
export const offersCertificate = (request: Request): boolean =>
  /^Box /.test(request.headers.get("authorization") ?? "");

/**
 * Returns the joining that the certificate of a request proves.
 * @param findJoined  called only with a certificate of this edge; failing, the Box decides
 * @throws {GatewayError} unless the box may connect
 */
export async function memberOf(
  request: Request,
  settings: Settings,
  { box, purpose }: { box: string; purpose: ProofPurpose },
  findJoined: FindJoined,
): Promise<Membership> {
  const proof = boxProofIn(request.headers.get("authorization"));
  if (proof === null) throw new GatewayError({ reason: "certificate_unknown" });
  const authorities = await authoritiesOf(settings.peppers);
  const { host } = new URL(request.url);
  const { membership, hasEnded } = await orGuessing<Proven>(request, () =>
    checkProof(proof, { box, host, purpose }, authorities, Date.now()),
  );
  let current: string | null;
  try {
    current = await findJoined(membership);
  } catch {
    // The Box knows those that were removed. It does not know for how long a box was away.
    if (hasEnded) throw new GatewayError({ reason: "registry_silent" });
    return membership;
  }
  if (current !== membership.id) throw new GatewayError({ reason: "box_removed", box });
  return membership;
}
