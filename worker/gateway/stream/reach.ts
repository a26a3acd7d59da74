/**
 * The way from a stream to its agent: a socket to the Box, and an agent behind the Box. Keeps the
 * grace period while either is lost, and probes the agent while a caller waits in silence. Pure.
 */
import { GRACE_MS } from "../../../protocol/limits.ts";
import { isProbeDue, nextProbeMs, type Pulse } from "./pulse.ts";

const REDIAL_MS = 100;

export class Reach {
  readonly #pulse: Pulse;
  readonly #random: () => number;
  #isAgentAway = false;
  #graceEndsMs: number | null = null;
  /** The stream has a socket to the Box. */
  isAttached = true;

  /**
   * @param pulse   the box's, shared by all its streams in this isolate
   * @param random  uniform in [0, 1)
   */
  constructor(pulse: Pulse, random: () => number) {
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
  seen(nowMs: number): void {
    this.#pulse.lastSeenMs = nowMs;
    this.back();
    this.endGrace();
  }

  /**
   * An agent is connected, as far as is known. The grace period runs until a frame of it arrives.
   */
  back(): void {
    this.#isAgentAway = false;
  }

  /** The agent, or the way to it, is lost. */
  away(): void {
    this.#isAgentAway = true;
  }

  /** Starts the grace period, unless it runs already. */
  startGrace(nowMs: number): void {
    this.#graceEndsMs ??= nowMs + GRACE_MS;
  }

  restartGrace(nowMs: number, graceMs: number = GRACE_MS): void {
    this.#graceEndsMs = nowMs + graceMs;
  }

  endGrace(): void {
    this.#graceEndsMs = null;
  }
}
