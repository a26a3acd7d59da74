/**
 * How long to wait before the next dial, and how long a dial may take. Pure.
 *
 * While streams may still be waiting (the grace period), the wait stays short: a caller is holding
 * a half-finished answer. After that nobody waits, and a fleet of agents must not hammer an edge
 * that is down. An edge that takes the tunnel and drops it at once is dialled quickly for a while,
 * since this may be a bad moment of the path, and then at a pace that still keeps streams alive.
 * Jitter separates agents that lost the same edge at the same moment.
 */
import { GRACE_MS } from "../../protocol/limits.ts";

/** A tunnel that lasted this long was good, so the backoff starts over. */
const PROVEN_MS = 5_000;

/**
 * A path that is back is dialled within this. With the handshake, a stream goes on within 250 ms.
 */
const SHORT_MS = 100;
const FIRST_LONG_MS = 500;
const LONG_MS_MAX = 30_000;
/**
 * Streams that were resumed over a tunnel that dropped again wait for the next one. Several waits
 * of this length fit into their grace period.
 */
const FLAPPING_MS_MAX = 5_000;
/** Interval at which the wait doubles. */
const DOUBLE_EVERY_MS = 5_000;
/**
 * A path that swallows packets leaves a dial hanging, even once it is back: the system repeats a
 * lost SYN at ever longer intervals. So the first dials are given up soon. Later ones get more
 * time, so that a slow path gets through as well.
 */
const FIRST_HANDSHAKE_MS = 2_000;
const HANDSHAKE_MS_MAX = 10_000;
/** Wait after a refusal (wrong secret, name taken, wrong version), which rarely ends soon. */
const REFUSED_MS = 5_000;
/** Longest wait of a box that has to join again: only a person can end that. */
export const REMOVED_MS_MAX = 10 * 60_000;

export class Redial {
  #attempt = 0;
  #upMs: number | null = null;
  /** When the tunnel was last lost, and when a good tunnel was last lost. */
  #lostMs: number;
  #provenMs: number;
  #removals = 0;

  /** @param nowMs  monotonic, like all times here */
  constructor(nowMs: number) {
    this.#lostMs = nowMs;
    this.#provenMs = nowMs;
  }

  /** How long the next dial may take to open the socket. */
  get handshakeMs(): number {
    return Math.min(HANDSHAKE_MS_MAX, FIRST_HANDSHAKE_MS * Math.max(1, this.#attempt));
  }

  /** The tunnel is up. */
  up(nowMs: number): void {
    this.#upMs = nowMs;
    this.#removals = 0;
  }

  /**
   * Notes that the edge refused this box until it joins again.
   * @returns milliseconds until the next dial: 5 s at first, then twice as long each time
   */
  removed(random: () => number): number {
    const waitMs = Math.min(REMOVED_MS_MAX, REFUSED_MS * 2 ** this.#removals++);
    return waitMs * (0.5 + random() / 2);
  }

  /**
   * Notes that the tunnel is lost, or that a dial failed.
   * @param random  uniform in [0, 1)
   * @returns milliseconds until the next dial
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

/** Returns the wait that grows once no stream can be waiting; 0 before that. */
function grown(sinceMs: number): number {
  if (sinceMs < GRACE_MS) return 0;
  return FIRST_LONG_MS * 2 ** Math.min(10, Math.floor((sinceMs - GRACE_MS) / DOUBLE_EVERY_MS));
}
