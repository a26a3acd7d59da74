/**
 * Notices: the messages to one target that wait to be sent. Pure.
 *
 * Incidents that begin or end at about the same time share a notice, so a storm is one message. A notice
 * that was tried once never changes: each attempt sends the same text with the same id, by which a
 * receiver recognises a repetition.
 */
import * as z from "zod";
import { Concern } from "../../protocol/concern.ts";
import type { Incident } from "./incidents.ts";
import { type MessageTarget, quietUntilMs, wants } from "./target.ts";

/** Incidents that begin within this time after the first one share its notice. */
export const GROUP_MS = 5_000;
/** The shortest time between two messages to a target. Later incidents share the next one. */
export const PACE_MS = 60_000;

const Begun = z.object({ key: z.string(), concern: Concern, since_ms: z.number() });
const Over = Begun.extend({ lasted_ms: z.number() });

/** `title` and a line for each part; `data` is added to the body of a webhook. */
export const Summary = z.object({
  title: z.string(),
  lines: z.array(z.string()),
  data: z.record(z.string(), z.unknown()),
});
export type Summary = z.infer<typeof Summary>;

export const Notice = z.object({
  /** In order of time. */
  id: z.string(),
  target: z.string(),
  due_ms: z.number(),
  created_ms: z.number(),
  attempts: z.number(),
  opened: z.array(Begun),
  closed: z.array(Over),
  /** The text of a weekly summary, which shares its notice with no incident. */
  summary: Summary.nullable().default(null),
});
export type Notice = z.infer<typeof Notice>;

/** Adds an incident that begins. @param notices  all that wait for this target */
export function withOpened(
  notices: readonly Notice[],
  target: MessageTarget,
  { key, concern, since_ms }: Incident,
  { nowMs, newId }: Now,
): Notice[] {
  if (!wants(target, concern.severity)) return [...notices];
  const { notice, others } = nextNotice(notices, target, { nowMs, newId });
  const due_ms = Math.min(notice.due_ms, dueMsOf(target, concern, nowMs));
  return [...others, { ...notice, due_ms, opened: [...notice.opened, { key, concern, since_ms }] }];
}

/**
 * Adds the end of an incident that the target gets a message about. If that message was not sent yet, both
 * are left out.
 */
export function withClosed(
  notices: readonly Notice[],
  target: MessageTarget,
  { key, concern, since_ms, absent_ms }: Incident,
  { nowMs, newId }: Now,
): Notice[] {
  const unsent = notices.find(
    ({ attempts, opened }) => attempts === 0 && opened.some((each) => each.key === key),
  );
  if (unsent !== undefined) {
    const left = { ...unsent, opened: unsent.opened.filter((each) => each.key !== key) };
    const others = notices.filter((each) => each !== unsent);
    return left.opened.length + left.closed.length === 0 ? others : [...others, left];
  }
  const { notice, others } = nextNotice(notices, target, { nowMs, newId });
  const due_ms = Math.min(notice.due_ms, dueMsOf(target, concern, nowMs));
  const over = { key, concern, since_ms, lasted_ms: (absent_ms ?? nowMs) - since_ms };
  return [...others, { ...notice, due_ms, closed: [...notice.closed, over] }];
}

/** Returns the notice of a weekly summary, which is due at once. */
export const summaryNotice = (
  target: Pick<MessageTarget, "id">,
  summary: Summary,
  { nowMs, newId }: Now,
): Notice => ({
  ...{ id: newId(), target: target.id, attempts: 0, opened: [], closed: [], summary },
  ...{ due_ms: nowMs, created_ms: nowMs },
});

/** Returns the notice of a target that is tried next: the oldest, so that an end follows its beginning. */
export const firstOf = (notices: readonly Notice[], target: string): Notice | null =>
  notices
    .filter((notice) => notice.target === target)
    .reduce<Notice | null>(
      (first, each) => (first === null || each.id < first.id ? each : first),
      null,
    );

type Now = { nowMs: number; newId: () => string };

/** Returns the notice that still takes incidents, or a new one. */
function nextNotice(notices: readonly Notice[], target: MessageTarget, { nowMs, newId }: Now) {
  const waiting = notices.find(({ attempts, summary }) => attempts === 0 && summary === null);
  const notice: Notice = waiting ?? {
    ...{ id: newId(), target: target.id, attempts: 0, opened: [], closed: [], summary: null },
    ...{ due_ms: Number.MAX_SAFE_INTEGER, created_ms: nowMs },
  };
  return { notice, others: notices.filter((each) => each !== waiting) };
}

function dueMsOf(target: MessageTarget, { severity }: Concern, nowMs: number): number {
  const quietMs = severity === "critical" ? null : quietUntilMs(target, nowMs);
  return Math.max(nowMs + GROUP_MS, (target.last_sent_ms ?? 0) + PACE_MS, quietMs ?? 0);
}
