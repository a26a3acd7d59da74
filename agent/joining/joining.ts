/**
 * The proof of this box at each dial, and the certificate behind it, which is renewed through the tunnel long
 * before it ends. A box with a secret has no certificate.
 */
import { type Frame, FrameType, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { Certified } from "../../protocol/joining.ts";
import type { AgentConfig } from "../config.ts";
import type { Log } from "../log.ts";
import type { BoxProof } from "../tunnel/tunnel.ts";
import type { BoxMembership } from "./membership.ts";

/** How often to look whether the certificate is to be renewed, and to repeat a request. */
const CHECK_EVERY_MS = 60_000;

type ProofSettings = Pick<AgentConfig, "edgeUrl" | "boxSecret">;

/** Returns the header that proves this box now; null if it has neither joined nor a secret. */
export function proofNow(
  { edgeUrl, boxSecret }: ProofSettings,
  membership: BoxMembership | null,
): string | null {
  if (membership !== null) return membership.authorization("connect", edgeUrl.host, Date.now());
  return boxSecret === null ? null : `Bearer ${boxSecret}`;
}

export class Joining implements BoxProof {
  readonly #config: ProofSettings;
  readonly #membership: BoxMembership | null;
  readonly #log: Log;
  #timer: NodeJS.Timeout | null = null;

  /** @param membership  null for a box with a secret */
  constructor(config: ProofSettings, membership: BoxMembership | null, log: Log) {
    this.#config = config;
    this.#membership = membership;
    this.#log = log;
  }

  authorization(): string | null {
    return proofNow(this.#config, this.#membership);
  }

  /** The tunnel is up. @param send  drops the frame while the tunnel is down */
  up(send: (frame: Frame) => void): void {
    if (this.#membership === null) return;
    const check = () => {
      if (this.#membership?.isRenewalDue(Date.now())) send(tunnelFrame(FrameType.renew));
    };
    if (this.#timer !== null) clearInterval(this.#timer);
    check();
    this.#timer = setInterval(check, CHECK_EVERY_MS).unref();
  }

  /** Takes CERTIFICATE. @throws {FrameError} if its payload has the wrong shape */
  received(payload: Uint8Array): void {
    const certified = parsePayload(Certified, payload);
    try {
      this.#membership?.renewed(certified);
      const until = new Date(certified.expires_at_ms).toISOString();
      this.#log("info", "certificate_renewed", { until });
    } catch (error) {
      // The old one goes on working, and the next check tries again.
      this.#log("error", "certificate_not_kept", { why: error });
    }
  }
}
