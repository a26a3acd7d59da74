/**
 * How long to wait before dialling again, and for the dial. Pure.
 *
 * While streams may still be waiting (the grace period), the wait stays short: a caller is holding
 * a half-finished answer. After that nobody waits, and a fleet of agents must not hammer an edge
 * that is down. Nor one that takes the tunnel and drops it at once: that, too, is dialled quickly
 * for a while, since it may be a bad moment of the path, and then at a pace that still keeps
 * streams alive. Jitter keeps agents apart that lost the same edge at the same moment.
 */
import { GRACE_MS } from "../../protocol/limits.ts";

/** A tunnel that held this long was good: the backoff starts over. */
const PROVEN_MS = 5_000;

/**
 * A path that is back is dialled within this: with the handshake, a stream goes on within 250 ms.
 */
const SHORT_MS = 100;
const FIRST_LONG_MS = 500;
const LONG_MS_MAX = 30_000;
/**
 * Streams that were resumed over a tunnel that dropped again wait for the next one: several of
 * these fit into their grace period.
 */
const FLAPPING_MS_MAX = 5_000;
/** The wait doubles this often. */
const DOUBLE_EVERY_MS = 5_000;
/**
 * A path that swallows packets leaves a dial hanging, also once it is back: the system repeats a
 * lost SYN ever more seldom. So the first dials are given up soon, and later ones later, lest a
 * slow path never get through.
 */
const FIRST_HANDSHAKE_MS = 2_000;
const HANDSHAKE_MS_MAX = 10_000;
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

  /** How long the next dial may take to open the socket, ms. */
  get handshakeMs(): number {
    return Math.min(HANDSHAKE_MS_MAX, FIRST_HANDSHAKE_MS * Math.max(1, this.#attempt));
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
    const longMs = Math.max(
      Math.min(LONG_MS_MAX, grown(nowMs - this.#lostMs)),
      Math.min(FLAPPING_MS_MAX, grown(nowMs - this.#provenMs)),
    );
    return Math.max(SHORT_MS, longMs) * (0.5 + random() / 2);
  }
}

/** The wait that grows once streams cannot be waiting any more; 0 before. */
function grown(sinceMs: number): number {
  if (sinceMs < GRACE_MS) return 0;
  return FIRST_LONG_MS * 2 ** Math.min(10, Math.floor((sinceMs - GRACE_MS) / DOUBLE_EVERY_MS));
}
