/**
 * How long a message takes to the edge and back, from the heartbeats of one socket. Pure.
 *
 * A pong says nothing but "pong": it is known by its place, since a socket keeps the order and each
 * ping has one. Of pings that overtake their pongs one at a time is timed.
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
