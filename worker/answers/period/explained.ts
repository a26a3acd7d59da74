/**
 * Explains a period in one or a few sentences: when P95 rose, by how much, and why. Pure.
 *
 * It claims nothing that its input does not show. A cause is named with its part of the added time.
 */
import type {
  PeriodCause,
  PeriodExplanation,
  PeriodFigures,
} from "../../../protocol/api/explanation.ts";
import { isoOf, rounded, roundedOrNull } from "../figures.ts";
import { localTimeText } from "../local-time.ts";
import { countText, durationText, PLAIN } from "../wording.ts";
import { type CallFilter, type FailedCall, isAbout, type PeriodCall } from "./calls.ts";
import { causesOf } from "./causes.ts";
import { failuresCause } from "./failures.ts";
import { PERCENTILE_MIN, percentileOf, RISE_MIN, type SlowStretch } from "./stretch.ts";
import type { NearEvent } from "./surroundings.ts";

/** Requests in order of time. */
export type Calls = { answered: readonly PeriodCall[]; failed: readonly FailedCall[] };

export type PeriodFacts = {
  fromMs: number;
  toMs: number;
  /** The part in which requests took much longer; null without one. */
  stretch: SlowStretch | null;
  filter: CallFilter;
  /** Calls of the stretch on all boxes, or of the whole period without one. */
  during: Calls;
  /** Calls of the time before. */
  before: Calls;
  events: readonly NearEvent[];
  isWhole: boolean;
};

/** Two percentiles that differ by less are much the same. */
const SIMILAR = 1.2;

export function explainedPeriod(
  { fromMs, toMs, stretch, filter, during, before, events, isWhole }: PeriodFacts,
  timeZone: string,
  nowMs: number,
): PeriodExplanation {
  const about = isAbout(filter);
  const of = ({ answered, failed }: Calls) => ({
    answered: answered.filter(about),
    failed: failed.filter(about),
  });
  const [now, then] = [of(during), of(before)];
  const figures = { before: figuresOf(then), during: figuresOf(now) };
  const slow =
    stretch === null
      ? []
      : causesOf({
          stretch,
          ...{ calls: now.answered, before: then.answered, events },
          ...{ allCalls: during.answered, allBefore: before.answered },
        });
  const failures = failuresCause(now, then);
  const latency = stretch === null ? changeOf(figures) : "rose";
  const causes = [...slow, ...(failures === null ? [] : [failures])].map(shown);
  const head =
    stretch === null
      ? steadyText(latency, figures)
      : roseText(stretch, (ms, todayMs = nowMs) => localTimeText(ms, timeZone, todayMs));
  return {
    from: isoOf(fromMs),
    to: isoOf(toMs),
    latency,
    changed_from: stretch === null ? null : isoOf(stretch.fromMs),
    changed_to: stretch?.isOver === true ? isoOf(stretch.toMs) : null,
    ...figures,
    causes,
    text: [sentence(head, slow), ...(failures === null ? [] : [sentence(failures.text, [])])].join(
      " ",
    ),
    is_whole: isWhole,
  };
}

function figuresOf({ answered, failed }: Calls): PeriodFigures {
  const calls = answered.map(({ latency_ms: latencyMs }) => ({ latencyMs }));
  const at = (part: number) => rounded(percentileOf(calls, part));
  return {
    requests: answered.length,
    errors: failed.length,
    latency_p50_ms: calls.length === 0 ? null : at(0.5),
    latency_p95_ms: calls.length < PERCENTILE_MIN ? null : at(0.95),
  };
}

type Figures = { before: PeriodFigures; during: PeriodFigures };

function changeOf({ before, during }: Figures): PeriodExplanation["latency"] {
  const [usual, now] = [before.latency_p95_ms, during.latency_p95_ms];
  if (usual === null || now === null) return "unknown";
  if (now >= RISE_MIN * usual) return "rose";
  return now * RISE_MIN <= usual ? "fell" : "steady";
}

const roseText = (
  { fromMs, toMs, isOver, usualP95Ms, p95Ms }: SlowStretch,
  time: (ms: number, todayMs?: number) => string,
): string => {
  const over = isOver ? ` and was over at ${time(toMs, fromMs)}` : "";
  return `P95 rose from ${durationText(usualP95Ms)} to ${durationText(p95Ms)} at ${time(fromMs)}${over}`;
};

function steadyText(latency: PeriodExplanation["latency"], { before, during }: Figures): string {
  const { requests, latency_p50_ms: p50, latency_p95_ms: p95 } = during;
  if (requests === 0 || p50 === null) return "No model answered a request in this period";
  if (p95 === null)
    return `${countText(requests, "request")}, too few for a P95; half of them took at most ${durationText(p50)}`;
  const usual = before.latency_p95_ms;
  if (usual === null)
    return `P95 was ${durationText(p95)}; there are too few requests before to compare it with`;
  if (latency === "rose")
    return `P95 rose from ${durationText(usual)} to ${durationText(p95)}, by a few slow requests`;
  if (latency === "fell") return `P95 fell from ${durationText(usual)} to ${durationText(p95)}`;
  const isSimilar = Math.max(p95, usual) < SIMILAR * Math.min(p95, usual);
  return `P95 was ${durationText(p95)} (${isSimilar ? "much as before" : "before"}: ${durationText(usual)})`;
}

/** The first cause follows the head; the others are a sentence of their own. */
function sentence(head: string, [first, ...more]: readonly PeriodCause[]): string {
  if (first === undefined) return `${capital(head)}.`;
  const part = ({ share }: PeriodCause) => (share === null ? "" : PLAIN.percent(round(share)));
  const main = `${capital(head)}: ${first.text} (${part(first)} of the added time).`;
  const rest = more.map((cause) => `${cause.text} (${part(cause)})`).join("; ");
  return rest === "" ? main : `${main} Besides, ${rest}.`;
}

const round = (share: number): number => Math.round(100 * share) / 100;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const shown = (cause: PeriodCause): PeriodCause => ({
  ...cause,
  share: cause.share === null ? null : round(cause.share),
  lost_ms: roundedOrNull(cause.lost_ms),
  before: roundedOrNull(cause.before),
  during: roundedOrNull(cause.during),
});
