/** Why a person is not admitted by the identity provider, and the public error of each. Pure. */
import { byGateway, RETRY, type WireError } from "../../protocol/failures.ts";

export type IdentityFailure =
  /** `flaw` states the claim or the part that is wrong; never its value. */
  | { reason: "token_refused"; flaw: string }
  | { reason: "person_unknown"; identity: string }
  | { reason: "issuer_silent" }
  /** The page sends nobody to an issuer. */
  | { reason: "sign_in_off" }
  /** The browser did not begin this sign-in, or long ago. */
  | { reason: "sign_in_expired" }
  | { reason: "sign_in_refused"; why: string };

export const isIdentityFailure = (failure: { reason: string }): failure is IdentityFailure =>
  Object.hasOwn(ERRORS, failure.reason);

export const identityErrorOf = (failure: IdentityFailure): WireError =>
  (ERRORS[failure.reason] as (failure: IdentityFailure) => WireError)(failure);

/** Has an entry for each reason, by type. */
const ERRORS: {
  [Reason in IdentityFailure["reason"]]: (
    failure: Extract<IdentityFailure, { reason: Reason }>,
  ) => WireError;
} = {
  token_refused: ({ flaw }) =>
    byGateway(
      401,
      "identity_token_invalid",
      `The token of the identity provider is not valid: ${flaw}. Sign in again.`,
    ),
  person_unknown: ({ identity }) =>
    byGateway(
      403,
      "identity_not_admitted",
      `${identity} is signed in, but has no role here. Ask the owner to add this identity to OIDC_OWNERS, ` +
        "OIDC_OPERATORS or OIDC_MEMBERS.",
    ),
  sign_in_off: () =>
    byGateway(409, "sign_in_off", "OIDC_CLIENT_ID is not set, so nobody signs in this way."),
  sign_in_expired: () =>
    byGateway(
      401,
      "sign_in_expired",
      "This sign-in was not begun here, or too long ago. Sign in again.",
    ),
  sign_in_refused: ({ why }) =>
    byGateway(401, "sign_in_refused", `The sign-in failed: ${why}. Sign in again.`),
  issuer_silent: () =>
    byGateway(
      503,
      "identity_unchecked",
      "The edge cannot check the sign-in now, because the identity provider does not answer. Try again.",
      RETRY,
    ),
};
