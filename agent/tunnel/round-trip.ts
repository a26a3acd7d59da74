/**
 * Round-trip time to the edge, measured by the heartbeats of one socket. Pure.
 *
 * A pong carries no number. But a socket keeps the order and each ping gets one pong, so counting
 * identifies it. If several pings are on their way, only one of them is timed.
 */
import { roundMs } from "../measure/phases.ts";

export class RoundTrip {
  #pings = 0;
  #pongs = 0;
  #timed: { ping: number; sentMs: number } | null = null;
  #ms: number | null = null;

  /** The newest measurement; null before the first. */
  get ms(): number | null {
    return this.#ms;
  }

  /** Returns a function that reports whether everything sent before has arrived: pongs keep the order. */
  mark(): () => boolean {
    const pings = this.#pings;
    return () => this.#pongs > pings;
  }

  /** @param nowMs  monotonic */
  pinged(nowMs: number): void {
    this.#pings++;
    this.#timed ??= { ping: this.#pings, sentMs: nowMs };
  }

  ponged(nowMs: number): void {
    this.#pongs++;
    if (this.#timed?.ping !== this.#pongs) return;
    this.#ms = roundMs(nowMs - this.#timed.sentMs);
    this.#timed = null;
  }
}
