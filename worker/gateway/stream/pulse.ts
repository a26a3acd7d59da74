/**
 * The pulse of a box, as the streams of one isolate feel it: when its agent was last heard, and when
 * it was last asked after. Pure.
 *
 * A link that swallows packets says nothing by itself, and neither does an Ollama that loads a model.
 * So while callers wait in silence the Box is sent something, and then looks at its agent's
 * heartbeat. One stream asks for all: what any of them hears or asks holds for the others too, and
 * a box whose tokens flow is not asked at all.
 */
import { HEARTBEAT_MS, NOTICE_MS, SILENCE_MS } from "../../../protocol/limits.ts";

export type Pulse = {
  /** Something came from the agent. */
  heardMs: number;
  /** The Box was made to look. */
  askedMs: number;
  /** Streams of this isolate that are open on the box. */
  open: number;
};

export const newPulse = (): Pulse => ({ heardMs: 0, askedMs: 0, open: 0 });

/** For the way there, and for timers that are late. */
const SLACK_MS = 150;

/** Silence for so long, and the Box is asked. With the agent's last heartbeat just before the loss, the answer still comes in time. */
export const PROBE_MS = NOTICE_MS - SILENCE_MS - SLACK_MS;

/** With many streams open each looks more seldom: so many of them keep the watch. */
const WATCHERS = 16;
/** But not more seldom than this. */
const LOOK_EVERY_MS_MAX = 5 * HEARTBEAT_MS;

const dueMs = ({ heardMs, askedMs }: Pulse): number => Math.max(heardMs, askedMs) + PROBE_MS;

export const isProbeDue = (pulse: Pulse, nowMs: number): boolean => nowMs >= dueMs(pulse);

/** When a stream looks next: when a probe may be due, and not at the same time as all others. */
export function nextProbeMs(pulse: Pulse, nowMs: number, random: () => number): number {
  if (pulse.open <= WATCHERS) return Math.max(nowMs, dueMs(pulse));
  const everyMs = Math.min(LOOK_EVERY_MS_MAX, (PROBE_MS * pulse.open) / WATCHERS);
  return nowMs + everyMs * (0.5 + random());
}
