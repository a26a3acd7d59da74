/**
 * How long to wait before dialling again. Pure.
 *
 * While streams may still be waiting (the grace period), the wait stays short: a caller is holding
 * a half-finished answer. After that nobody waits, and a fleet of agents must not hammer an edge
 * that is down. Nor one that takes the tunnel and drops it at once: that, too, is dialled quickly for
 * a while, since it may be a bad moment of the path, and then at a pace that still keeps streams alive.
 * Jitter keeps agents apart that lost the same edge at the same moment.
 */
import { GRACE_MS } from "../../protocol/limits.ts";

/** A tunnel that held this long was good: the backoff starts over. */
const PROVEN_MS = 5_000;

const SHORT_MS = 200;
const FIRST_LONG_MS = 500;
const LONG_MS_MAX = 30_000;
/** Streams that were resumed over a tunnel that dropped again wait for the next one: several of these fit into their grace period. */
const FLAPPING_MS_MAX = 5_000;
/** The wait doubles this often. */
const DOUBLE_EVERY_MS = 5_000;
/** The edge said no (wrong secret, name taken, version): it will not change its mind at once. */
const REFUSED_MS = 5_000;

export class Redial {
  #attempt = 0;
  #upMs: number | null = null;
  /** When the tunnel was lost last, and when one was lost last that had been good. */
  #lostMs: number;
  #provenMs: number;

  /** @param nowMs  monotonic, as everywhere here */
  constructor(nowMs: number) {
    this.#lostMs = nowMs;
    this.#provenMs = nowMs;
  }

  /** The tunnel is up. */
  up(nowMs: number): void {
    this.#upMs = nowMs;
  }

  /**
   * The tunnel is lost, or a dial failed.
   * @param random  uniform in [0, 1)
   * @returns milliseconds to wait until the next dial
   */
  lost(nowMs: number, wasRefused: boolean, random: () => number): number {
    if (this.#upMs !== null) {
      this.#lostMs = nowMs;
      if (nowMs - this.#upMs > PROVEN_MS) {
        this.#provenMs = nowMs;
        this.#attempt = 0;
      }
    }
    this.#upMs = null;
    if (this.#attempt++ === 0) return random() * 20;
    if (wasRefused) return REFUSED_MS * (0.5 + random());
    const longMs = Math.max(Math.min(LONG_MS_MAX, grown(nowMs - this.#lostMs)), Math.min(FLAPPING_MS_MAX, grown(nowMs - this.#provenMs)));
    return Math.max(SHORT_MS, longMs) * (0.5 + random() / 2);
  }
}

/** The wait that grows once streams cannot be waiting any more; 0 before. */
function grown(sinceMs: number): number {
  if (sinceMs < GRACE_MS) return 0;
  return FIRST_LONG_MS * 2 ** Math.min(10, Math.floor((sinceMs - GRACE_MS) / DOUBLE_EVERY_MS));
}
