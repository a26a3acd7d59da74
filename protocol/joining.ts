/**
 * How a box joins the edge, and proves afterwards that it is that box: codes, certificates and proofs, as
 * agent and edge exchange them. Pure.
 */

import * as z from "zod";
import { DAY_MS } from "./day.ts";
import { BoxName } from "./records.ts";

/** A code is made to be used at once: by a person who goes from the page to the box. */
export const CODE_MS = 10 * 60_000;

/** A certificate alone admits its box for this long. */
export const CERTIFICATE_MS = DAY_MS;

/** An agent renews a certificate when this much of its time is left. */
export const RENEW_BEFORE_MS = CERTIFICATE_MS / 2;

/**
 * A box that was switched off may return with a certificate that ended at most this long ago, if the
 * registry confirms that nobody removed the box. Then it has to join again.
 */
export const RETURN_MS = 90 * DAY_MS;

/**
 * The greatest difference between the clocks of a box and the edge. A proof that somebody copied is useless
 * after this. NTP keeps clocks within a second.
 */
export const PROOF_SKEW_MS = 5 * 60_000;

/** `oej_`, the name of the pepper, the id, the end in seconds, and a MAC: hexadecimal digits. */
export const JoinCode = z
  .string()
  .regex(
    /^oej_[0-9a-f]{4}[0-9a-f]{16}[0-9a-f]{8}_[0-9a-f]{32}$/,
    "is not a join code: it begins with oej_ and has 64 characters",
  );

/** A raw Ed25519 public key. */
export const PublicKey = z.string().regex(/^[0-9a-f]{64}$/, "is not an Ed25519 public key");
export const Signature = z.string().regex(/^[0-9a-f]{128}$/, "is not an Ed25519 signature");

/** The content of a certificate. */
export const Membership = z.object({
  box: BoxName,
  /** The id of this joining: another one of the same box has another id. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  publicKey: PublicKey,
  joinedMs: z.int().nonnegative(),
});
export type Membership = z.infer<typeof Membership>;

/** The purpose of a proof. It is signed too, so a proof serves no other one. */
export type ProofPurpose = "join" | "connect" | "leave";

/**
 * Returns the text that an agent signs.
 * @param host     the edge, as the agent dials it: no other edge can use the proof
 * @param subject  the code or the certificate that the proof comes with
 */
export const proofText = (
  purpose: ProofPurpose,
  host: string,
  box: string,
  subject: string,
  timeMs: number,
): string => ["ollama-edge-serve", purpose, host, box, subject, timeMs].join("\n");

/** `POST /agent/join`: exchanges a code for a certificate. */
export const JoinRequest = z.strictObject({
  code: JoinCode,
  box: BoxName,
  public_key: PublicKey,
  /** The clock of the box, unix ms. */
  now_ms: z.number(),
  signature: Signature,
});
export type JoinRequest = z.infer<typeof JoinRequest>;

/** A new signing key of the edge, signed with an older one. */
export const Endorsement = z.object({ key: PublicKey, signature: Signature });
export type Endorsement = z.infer<typeof Endorsement>;

export const endorsementText = (signingKey: string): string =>
  ["ollama-edge-serve", "signing key", signingKey].join("\n");

/** The edge's certificate, opaque to the agent. CERTIFICATE, in answer to RENEW, has the same shape. */
export const Certified = z.object({
  certificate: z.string().max(512),
  /** By the edge's clock, unix ms. */
  expires_at_ms: z.number(),
  /** The time that is left, ms. */
  lasts_ms: z.number(),
  /** The edge signs agents with it. */
  signing_key: PublicKey,
  /** That key, signed with the edge's older ones. Absent from older edges. */
  endorsed: z.array(Endorsement).max(4).optional(),
});
export type Certified = z.infer<typeof Certified>;

/** The answer of `POST /agent/join`. */
export const Joined = z.object({ box: BoxName, ...Certified.shape });
export type Joined = z.infer<typeof Joined>;

/** `authorization` of an agent that joined. */
export const boxAuthorization = (certificate: string, timeMs: number, signature: string): string =>
  `Box ${certificate} ${timeMs} ${signature}`;

const AUTHORIZATION = /^Box (\S{1,512}) (\d{1,15}) ([0-9a-f]{128})$/;

/** Returns the parts of such a header; null for another one. */
export function boxProofIn(
  header: string | null,
): { certificate: string; timeMs: number; signature: string } | null {
  const [, certificate, timeMs, signature = ""] = AUTHORIZATION.exec(header ?? "") ?? [];
  if (certificate === undefined) return null;
  return { certificate, timeMs: Number(timeMs), signature };
}
