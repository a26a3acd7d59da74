/** Why a box may not join, connect or be removed, and the public error of each. Pure. */
import { byGateway, type WireError } from "../../protocol/failures.ts";

export type JoinFailure =
  | { reason: "code_unknown" }
  | { reason: "code_expired" }
  | { reason: "code_used" }
  | { reason: "code_not_found"; id: string }
  | { reason: "codes_full" }
  | { reason: "box_name_taken"; box: string }
  /** The code is for another name. */
  | { reason: "box_name_differs"; box: string; name: string }
  | { reason: "certificate_unknown" }
  | { reason: "certificate_ended" }
  | { reason: "proof_wrong"; host: string }
  | { reason: "clock_off"; aheadMs: number }
  | { reason: "box_removed"; box: string }
  | { reason: "box_not_joined"; box: string }
  | { reason: "update_forbidden"; box: string }
  | { reason: "update_not_joined"; box: string }
  /** The registry that must confirm an ended certificate does not answer. */
  | { reason: "registry_silent" };

const unauthorized = (code: string, message: string): WireError => byGateway(401, code, message);
const AGAIN = "Make a new code (POST /api/boxes/join), and join again.";

/** Has an entry for each reason, by type. */
const ERRORS: {
  [Reason in JoinFailure["reason"]]: (
    failure: Extract<JoinFailure, { reason: Reason }>,
  ) => WireError;
} = {
  code_unknown: () =>
    unauthorized(
      "join_code_unknown",
      `This edge did not make that join code. Compare the code and the address of the edge. ${AGAIN}`,
    ),
  code_expired: () =>
    unauthorized(
      "join_code_expired",
      `The join code has expired: it works for 10 minutes. ${AGAIN}`,
    ),
  code_used: () =>
    unauthorized("join_code_used", `The join code was used or cancelled: it works once. ${AGAIN}`),
  code_not_found: ({ id }) =>
    byGateway(404, "join_code_not_found", `There is no waiting join code with the id ${id}.`),
  codes_full: () =>
    byGateway(409, "join_codes_full", "Too many join codes are waiting. Cancel some first."),
  box_name_taken: ({ box }) =>
    byGateway(
      409,
      "box_name_taken",
      `Another box is named ${box}. Choose another BOX_NAME, or make the code for the name ${box} to ` +
        "replace that box.",
    ),
  box_name_differs: ({ box, name }) =>
    byGateway(
      409,
      "box_name_differs",
      `The join code is for the box ${name}, and this box is named ${box}. Set BOX_NAME=${name}.`,
    ),
  certificate_unknown: () =>
    unauthorized(
      "certificate_unknown",
      "This edge did not sign the certificate of this box. Compare the address of the edge. If its " +
        `KEY_PEPPER was replaced, the box must join again. ${AGAIN}`,
    ),
  certificate_ended: () =>
    unauthorized(
      "certificate_ended",
      `The box was away for more than 90 days, so its certificate cannot be renewed. ${AGAIN}`,
    ),
  proof_wrong: ({ host }) =>
    unauthorized(
      "proof_wrong",
      `The box did not prove that it has the key of its certificate for ${host}. If the agent reaches ` +
        "the edge under another name, join under this one.",
    ),
  clock_off: ({ aheadMs }) =>
    unauthorized(
      "clock_off",
      `The clock of this box is ${spanOf(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead" : "behind"}. ` +
        "At most 5 minutes are allowed. Set the clock, e.g. with timedatectl set-ntp true.",
    ),
  box_removed: ({ box }) =>
    byGateway(403, "box_removed", `Box ${box} was removed from this edge. ${AGAIN}`),
  box_not_joined: ({ box }) =>
    byGateway(
      409,
      "box_not_joined",
      `Box ${box} has no certificate to revoke. If it has a secret, remove it from BOX_SECRETS.`,
    ),
  update_forbidden: ({ box }) =>
    byGateway(
      409,
      "update_forbidden",
      `The agent of box ${box} forbids updates (UPDATES=off). Change that on the box, or run install.sh there.`,
    ),
  update_not_joined: ({ box }) =>
    byGateway(
      409,
      "update_not_joined",
      `Box ${box} has not joined this edge with a code, so its agent cannot check what this edge offers. ` +
        "Run install.sh there, or let the box join.",
    ),
  registry_silent: () =>
    byGateway(503, "registry_silent", "The registry of boxes does not answer. Try again later."),
};

/** Rounded to the unit that a person would name. */
function spanOf(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}

export const isJoinFailure = (failure: { reason: string }): failure is JoinFailure =>
  Object.hasOwn(ERRORS, failure.reason);

export const joinErrorOf = (failure: JoinFailure): WireError =>
  (ERRORS[failure.reason] as (failure: JoinFailure) => WireError)(failure);
