/**
 * The proof of this box at each dial, and the certificate behind it, which is renewed through the tunnel long
 * before it ends. A box with a secret has no certificate.
 */
import { type Frame, FrameType, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { Certified } from "../../protocol/joining.ts";
import type { AgentConfig } from "../config.ts";
import type { Log } from "../log.ts";
import type { AgentUpdates } from "../tunnel/agent-updates.ts";
import type { BoxProof } from "../tunnel/tunnel.ts";
import type { BoxMembership } from "./membership.ts";

/** How often to look whether the certificate is to be renewed, and to repeat a request. */
const CHECK_EVERY_MS = 60_000;

const REJOIN =
  "The edge signs agents with a key that this box does not know. To update it from the edge, join again.";

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
  readonly #updates: AgentUpdates | null;
  #timer: NodeJS.Timeout | null = null;

  /** @param membership  null for a box with a secret */
  constructor(
    config: ProofSettings,
    membership: BoxMembership | null,
    log: Log,
    updates: AgentUpdates | null = null,
  ) {
    this.#config = config;
    this.#membership = membership;
    this.#log = log;
    this.#updates = updates;
  }

  authorization(): string | null {
    return proofNow(this.#config, this.#membership);
  }

  /** The tunnel is up. @param send  drops the frame while the tunnel is down */
  up(send: (frame: Frame) => void): void {
    this.#updates?.up();
    if (this.#membership === null) return;
    const check = () => {
      if (this.#membership?.isRenewalDue(Date.now())) send(tunnelFrame(FrameType.renew));
    };
    if (this.#timer !== null) clearInterval(this.#timer);
    check();
    this.#timer = setInterval(check, CHECK_EVERY_MS).unref();
  }

  takes(type: FrameType): boolean {
    return type === FrameType.certificate || (type === FrameType.update && this.#updates !== null);
  }

  /** @throws {FrameError} if the payload has the wrong shape */
  received({ type, payload }: Frame): void {
    if (type === FrameType.update) return this.#updates?.offered(payload);
    const certified = parsePayload(Certified, payload);
    try {
      const isTrusted = this.#membership?.renewed(certified) ?? true;
      if (!isTrusted) this.#log("warn", "signing_key_not_trusted", { advice: REJOIN });
      const until = new Date(certified.expires_at_ms).toISOString();
      this.#log("info", "certificate_renewed", { until });
    } catch (error) {
      // The old one goes on working, and the next check tries again.
      this.#log("error", "certificate_not_kept", { why: error });
    }
  }
}
