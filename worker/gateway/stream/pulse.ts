/**
 * The pulse of a box: when the streams of this isolate last saw its agent, and last probed it.
 * Pure.
 *
 * A link that swallows packets looks just like an Ollama that is loading a model. So while callers
 * wait in silence, a stream sends something to the Box, which then checks its agent's heartbeat.
 * One stream probes for all: what any of them receives or sends counts for the others, and a box
 * whose tokens flow is not probed at all.
 */
import { HEARTBEAT_MS, NOTICE_MS, SILENCE_MS } from "../../../protocol/limits.ts";

export type Pulse = {
  /** When something of the agent last arrived. */
  lastSeenMs: number;
  /** When the Box was last made to check its agent. */
  lastProbeMs: number;
  /** Streams of this isolate that are open on the box. */
  open: number;
};

export const newPulse = (): Pulse => ({ lastSeenMs: 0, lastProbeMs: 0, open: 0 });

/** Covers the way to the Box, and timers that are late. */
const SLACK_MS = 150;

/**
 * Silence before a probe. Even if the last heartbeat came just before the loss, the result is in
 * time.
 */
export const PROBE_MS = NOTICE_MS - SILENCE_MS - SLACK_MS;

/** With more open streams than this, each one checks less often: about this many keep watch. */
const WATCHERS = 16;
/** Longest interval between two checks of a stream. */
const CHECK_EVERY_MS_MAX = 5 * HEARTBEAT_MS;

const dueMs = ({ lastSeenMs, lastProbeMs }: Pulse): number =>
  Math.max(lastSeenMs, lastProbeMs) + PROBE_MS;

export const isProbeDue = (pulse: Pulse, nowMs: number): boolean => nowMs >= dueMs(pulse);

/**
 * When a stream checks next: when a probe may be due, and not at the same moment as all the others.
 */
export function nextProbeMs(pulse: Pulse, nowMs: number, random: () => number): number {
  if (pulse.open <= WATCHERS) return Math.max(nowMs, dueMs(pulse));
  const everyMs = Math.min(CHECK_EVERY_MS_MAX, (PROBE_MS * pulse.open) / WATCHERS);
  return nowMs + everyMs * (0.5 + random());
}
