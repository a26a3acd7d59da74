/**
 * A log for events of the tunnel: a lost edge is dialled ten times a second, and an edge that drops
 * every tunnel at once would fill the log with each of them. Pure, apart from the log it wraps.
 */
import type { Log } from "../log.ts";

/** Lines of one event that may follow each other at once. */
const BURST = 3;
/** After a burst, one line of the event in this time. */
const EVERY_MS = 30_000;

type Pace = { lines: number; atMs: number; leftOut: number };

/**
 * Wraps a log, so that each event keeps to that pace. A line that follows others which were left out
 * has their number in `left_out`.
 * @param now  monotonic ms
 */
export function pacedLog(log: Log, now: () => number): Log {
  const paces = new Map<string, Pace>();
  return (level, event, fields) => {
    const nowMs = now();
    const pace = paces.get(event) ?? { lines: BURST, atMs: nowMs, leftOut: 0 };
    paces.set(event, pace);
    pace.lines = Math.min(BURST, pace.lines + (nowMs - pace.atMs) / EVERY_MS);
    pace.atMs = nowMs;
    if (pace.lines < 1) {
      pace.leftOut++;
      return;
    }
    pace.lines--;
    const { leftOut } = pace;
    pace.leftOut = 0;
    log(level, event, leftOut === 0 ? fields : { ...fields, left_out: leftOut });
  };
}
