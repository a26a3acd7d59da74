/**
 * Certificates of boxes: `oec_<pepper>.<id>.<joined>.<end>.<public key>.<mac>`. Only the edge reads them, so
 * a MAC signs them. The name of the box is signed too, and travels beside.
 */
import {
  CERTIFICATE_MS,
  type Certified,
  endorsementText,
  type Membership,
  PROOF_SKEW_MS,
  type ProofPurpose,
  proofText,
  RETURN_MS,
} from "../../protocol/joining.ts";
import { hexOf } from "../hex.ts";
import { type Authority, isMacOf, isSignedBy, macOf, signedBy } from "./authority.ts";
import type { JoinFailure } from "./failures.ts";

const CERTIFICATE =
  /^oec_([0-9a-f]{4})\.([0-9a-f]{16})\.(\d{1,15})\.(\d{1,15})\.([0-9a-f]{64})\.([0-9a-f]{64})$/;

/** @param older  the authorities that boxes may know instead of this one */
export async function certify(
  authority: Authority,
  membership: Membership,
  nowMs: number,
  older: readonly Authority[] = [],
): Promise<Certified> {
  const { id, joinedMs, publicKey } = membership;
  const { name, signingPublic } = authority;
  const expiresMs = nowMs + CERTIFICATE_MS;
  const mac = await macOf(authority, textOf(name, membership, expiresMs));
  return {
    certificate: `oec_${name}.${id}.${joinedMs}.${expiresMs}.${publicKey}.${hexOf(mac.slice().buffer)}`,
    expires_at_ms: expiresMs,
    lasts_ms: CERTIFICATE_MS,
    signing_key: signingPublic,
    endorsed: await Promise.all(
      older.map(async (each) => ({
        key: each.signingPublic,
        signature: await signedBy(each, endorsementText(signingPublic)),
      })),
    ),
  };
}

/** `hasEnded`: the registry must confirm the membership. */
export type Proven = { membership: Membership; hasEnded: boolean };

/** A certificate, and the proof that its box has the private key. */
export type Proof = { certificate: string; timeMs: number; signature: string };

/**
 * Checks the MAC first, so that a made-up certificate costs that alone.
 * @param host  the edge, as the box called it
 */
export async function checkProof(
  { certificate, timeMs, signature }: Proof,
  { box, host, purpose }: { box: string; host: string; purpose: ProofPurpose },
  authorities: readonly Authority[],
  nowMs: number,
): Promise<Proven | JoinFailure> {
  const [, name = "", id = "", joined = "", end = "", publicKey = "", mac = ""] =
    CERTIFICATE.exec(certificate) ?? [];
  const authority = authorities.find((each) => each.name === name);
  const membership = { box, id, publicKey, joinedMs: Number(joined) };
  if (authority === undefined) return { reason: "certificate_unknown" };
  if (!(await isMacOf(authority, textOf(name, membership, Number(end)), mac)))
    return { reason: "certificate_unknown" };
  const off = clockOff(timeMs, nowMs);
  if (off !== null) return off;
  const text = proofText(purpose, host, box, certificate, timeMs);
  if (!(await isSignedBy(publicKey, text, signature))) return { reason: "proof_wrong", host };
  if (nowMs > Number(end) + RETURN_MS) return { reason: "certificate_ended" };
  return { membership, hasEnded: nowMs > Number(end) };
}

/** Returns the failure of a clock that is too far from the edge's; null if it is not. */
export const clockOff = (boxMs: number, nowMs: number): JoinFailure | null =>
  Math.abs(boxMs - nowMs) <= PROOF_SKEW_MS ? null : { reason: "clock_off", aheadMs: boxMs - nowMs };

const textOf = (
  name: string,
  { box, id, publicKey, joinedMs }: Membership,
  expiresMs: number,
): string => ["certificate", name, box, id, publicKey, joinedMs, expiresMs].join("|");
