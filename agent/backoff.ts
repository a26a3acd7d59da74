/**
 * How long to wait before dialling again. Pure.
 *
 * While streams may still be waiting (the grace period), the wait stays short: a caller is holding
 * a half-finished answer. After that nobody waits, and a fleet of agents must not hammer an edge
 * that is down. Jitter keeps agents apart that lost the same edge at the same moment.
 */
import { GRACE_MS } from "../protocol/limits.ts";

const SHORT_MS = 200;
const LONG_MS_MAX = 30_000;
/** The edge said no (wrong secret, name taken, version): it will not change its mind at once. */
const REFUSED_MS = 5_000;

/**
 * @param attempt  dials since the tunnel was lost, from 0
 * @param lostMs   time since the tunnel was lost
 * @param random   uniform in [0, 1)
 * @returns milliseconds to wait
 */
export function nextDelay(attempt: number, lostMs: number, wasRefused: boolean, random: () => number): number {
  if (attempt === 0) return random() * 20;
  if (wasRefused) return REFUSED_MS * (0.5 + random());
  if (lostMs < GRACE_MS) return SHORT_MS * (0.5 + random() / 2);
  const exponent = Math.min(10, Math.floor((lostMs - GRACE_MS) / 5_000));
  return Math.min(LONG_MS_MAX, 500 * 2 ** exponent) * (0.5 + random() / 2);
}
