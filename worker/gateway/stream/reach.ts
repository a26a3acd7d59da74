/**
 * The way from a stream to its agent: a socket to the Box, and an agent behind the Box. Keeps the
 * grace period while either is lost, and probes the agent while a caller waits in silence. Pure.
 */
import { type Frame, FrameType } from "../../../protocol/frames.ts";
import { GRACE_MS, MOVE_LOST_MS } from "../../../protocol/limits.ts";
import type { FailureReason } from "../../errors.ts";
import { isProbeDue, nextProbeMs, type Pulse } from "./pulse.ts";

const REDIAL_MS = 100;

export class Reach {
  readonly #pulse: Pulse;
  readonly #random: () => number;
  #isAgentAway = false;
  #graceEndsMs: number | null = null;
  /** The Box has lost the agent, and nothing of it has arrived since. */
  #isAgentGone = false;
  /** An agent that loses its tunnel ends the stream, until the edge has the beginning of its answer. */
  #yields: boolean;
  /** The stream has a socket to the Box. */
  isAttached = true;

  /**
   * @param pulse   the box's, shared by all its streams in this isolate
   * @param random  uniform in [0, 1)
   */
  constructor(pulse: Pulse, random: () => number, yields: boolean) {
    this.#yields = yields;
    this.#pulse = pulse;
    this.#random = random;
  }

  get isReached(): boolean {
    return this.isAttached && !this.#isAgentAway;
  }

  /** When to check next; null if never. @param isWanted  a caller waits for the agent */
  nextCheckMs(nowMs: number, isWanted: boolean): number | null {
    if (this.#graceEndsMs !== null) return this.#graceEndsMs;
    return isWanted ? nextProbeMs(this.#pulse, nowMs, this.#random) : null;
  }

  /** How long to wait before the next dial to the Box. */
  redialMs(): number {
    return REDIAL_MS * (0.5 + this.#random());
  }

  isGraceOver(nowMs: number): boolean {
    return this.#graceEndsMs !== null && nowMs >= this.#graceEndsMs;
  }

  /** Returns whether to send a probe now, which is then noted for all streams of the box. */
  takeProbe(nowMs: number): boolean {
    if (this.#graceEndsMs !== null || !isProbeDue(this.#pulse, nowMs)) return false;
    this.#pulse.lastProbeMs = nowMs;
    return true;
  }

  /** The Box took the stream, so its agent was alive a moment ago. */
  begin(nowMs: number): void {
    this.#pulse.lastSeenMs = Math.max(this.#pulse.lastSeenMs, nowMs);
  }

  /** A frame of the agent arrived. */
  seen({ type }: Pick<Frame, "type">, nowMs: number): void {
    if (type === FrameType.head) this.#yields = false;
    this.#pulse.lastSeenMs = nowMs;
    this.#isAgentGone = false;
    this.back();
    this.endGrace();
  }

  /**
   * An agent is connected, as far as is known. The grace period runs until a frame of it arrives.
   */
  back(): void {
    this.#isAgentAway = false;
  }

  /** Returns the failure of a stream whose grace period is over. */
  lossOf(box: string): FailureReason {
    return { reason: "tunnel_lost", box, isYielded: this.#isYielding };
  }

  /** By the end of the grace period, the agent has ended the stream. */
  get #isYielding(): boolean {
    return this.#yields && this.#isAgentGone;
  }

  /** The agent, or the way to it, is lost. @param isGone  the Box has lost the agent */
  away(isGone = false): void {
    this.#isAgentAway = true;
    this.#isAgentGone ||= isGone;
  }

  /** Starts the grace period, unless one runs already that ends earlier. */
  startGrace(nowMs: number): void {
    const endsMs = nowMs + (this.#isYielding ? MOVE_LOST_MS : GRACE_MS);
    this.#graceEndsMs = Math.min(this.#graceEndsMs ?? endsMs, endsMs);
  }

  restartGrace(nowMs: number, graceMs: number = GRACE_MS): void {
    this.#graceEndsMs = nowMs + graceMs;
  }

  endGrace(): void {
    this.#graceEndsMs = null;
  }
}
