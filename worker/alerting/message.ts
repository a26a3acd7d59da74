/** The text and the data of a notice, the same for every kind of target. Pure. */

import type { Severity } from "../../protocol/concerns/definition.ts";
import { sentenceOf } from "../answers/concerns.ts";
import { isoOf } from "../answers/figures.ts";
import { durationText } from "../answers/wording.ts";
import type { Notice } from "./notices.ts";

export type NoticeMessage = {
  id: string;
  title: string;
  /** A line for each incident. */
  lines: string[];
  /** The highest of the incidents that began; null if all are over. */
  severity: Severity | null;
  /** The body of a webhook. */
  data: object;
};

/** A message names at most this many incidents, and counts the others. */
const LINES_MAX = 20;

export function messageOf({ id, created_ms, opened, closed, summary }: Notice): NoticeMessage {
  if (summary !== null) {
    const { title, lines, data } = summary;
    const type = "weekly_summary";
    const body = { id, type, timestamp: isoOf(created_ms), opened, closed, text: title, ...data };
    return { id, title, lines, severity: null, data: body };
  }
  const lines = [
    ...opened.map(({ concern }) => `${nameOf(concern.severity)}: ${sentenceOf(concern)}`),
    ...closed.map(
      ({ concern, lasted_ms }) => `Over after ${durationText(lasted_ms)}: ${sentenceOf(concern)}`,
    ),
  ];
  const severity = opened.some(({ concern }) => concern.severity === "critical")
    ? ("critical" as const)
    : opened.length > 0
      ? ("warning" as const)
      : null;
  const more = lines.length - LINES_MAX;
  return {
    id,
    title: lines.length === 1 ? (lines[0] ?? "") : countsOf(opened.length, closed.length),
    lines: more > 0 ? [...lines.slice(0, LINES_MAX), `and ${more} more`] : lines,
    severity,
    data: {
      id,
      type: "concerns",
      timestamp: isoOf(created_ms),
      opened: opened.map(({ concern, since_ms }) => ({
        ...concern,
        since: isoOf(since_ms),
        text: sentenceOf(concern),
      })),
      closed: closed.map(({ concern, since_ms, lasted_ms }) => ({
        ...concern,
        since: isoOf(since_ms),
        lasted_ms,
        text: sentenceOf(concern),
      })),
    },
  };
}

/** The message of the test button. */
export const testMessage = (id: string, nowMs: number): NoticeMessage => {
  const text = "Test: messages of your edge arrive here";
  const data = { id, type: "test", timestamp: isoOf(nowMs), opened: [], closed: [], text };
  return { id, title: text, lines: [text], severity: null, data };
};

const nameOf = (severity: Severity): string => (severity === "critical" ? "Critical" : "Warning");

function countsOf(opened: number, closed: number): string {
  const parts = [
    ...(opened === 0 ? [] : [`${opened} ${opened === 1 ? "concern" : "concerns"}`]),
    ...(closed === 0 ? [] : [`${closed} over`]),
  ];
  return parts.join(", ");
}
