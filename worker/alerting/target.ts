/**
 * Targets: where messages go, which of them, and when. The secrets of a target, its address and its
 * token, are sealed and never returned. Pure.
 */
import * as z from "zod";
import { TargetKind, TargetRules } from "../../protocol/api/notifications.ts";
import type { Severity } from "../../protocol/concerns/definition.ts";
import { hoursLeftMs } from "../../protocol/day-hours.ts";

export const MessageTarget = z.object({
  id: z.string(),
  kind: TargetKind,
  name: z.string(),
  /** Shown, so that people recognise the target. */
  host: z.string(),
  ...TargetRules,
  created_at_ms: z.number(),
  /** The {@link TargetAddress}, encrypted. */
  sealed: z.string(),
  last_sent_ms: z.number().nullable(),
  last_error: z.object({ at_ms: z.number(), message: z.string() }).nullable(),
  /** When its last weekly summary was due; null before the first. */
  summary_ms: z.number().nullable().default(null),
});
export type MessageTarget = z.infer<typeof MessageTarget>;

export const TargetAddress = z.object({
  url: z.string(),
  /** Signs a webhook. */
  secret: z.string().nullable(),
  token: z.string().nullable(),
  chat_id: z.string().nullable(),
});
export type TargetAddress = z.infer<typeof TargetAddress>;

/** Returns whether a target gets messages of this severity. */
export const wants = ({ severity }: Pick<MessageTarget, "severity">, of: Severity): boolean =>
  severity === "warning" || of === "critical";

/** Returns until when a target wants no warnings, unix ms; null if it takes them now. */
export function quietUntilMs({ quiet_hours }: Pick<MessageTarget, "quiet_hours">, nowMs: number) {
  if (quiet_hours === null) return null;
  const { time_zone, ...hours } = quiet_hours;
  const leftMs = hoursLeftMs(hours, time_zone, nowMs);
  return leftMs === 0 ? null : nowMs + leftMs;
}
