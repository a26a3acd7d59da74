/** The figures of a period as the Overview shows them, each beside those of the period before. Pure. */
import type { Activity, ActivityFigures, ActivityPoint } from "../../protocol/api/activity.ts";
import { duration, energy, percent, short, tokenRate } from "./format.ts";
import { isLive, type PageScope, type Period, periodCompared, periodOf } from "./scope.ts";

type Query = Record<string, string | number | undefined>;

/** Returns the query of `/api/stats/activity` for a scope, without its split. */
export function activityQuery(scope: PageScope, usualSeconds: number): Query {
  const { box, model, key, fromMs, untilMs, seconds } = scope;
  const narrowing = { box: box ?? undefined, model: model ?? undefined, key: key ?? undefined };
  const until = untilMs === null ? undefined : new Date(untilMs).toISOString();
  return fromMs === null
    ? { seconds: seconds ?? usualSeconds, until, ...narrowing }
    : { since: new Date(fromMs).toISOString(), until, ...narrowing };
}

/**
 * Returns the query for the period that a scope is compared with: the one before, unless another one is
 * chosen. It changes once a minute: the totals of an hour that is over hardly do.
 */
export function queryBefore(scope: PageScope, usualSeconds: number, minuteMs: number): Query {
  const nowMs = isLive(scope) ? minuteMs : Date.now();
  const period = periodOf(scope, nowMs, usualSeconds);
  return periodQuery(periodCompared(period, scope.compare ?? "previous"), scope);
}

const periodQuery = ({ fromMs, untilMs }: Period, { box, model, key }: PageScope): Query => ({
  since: new Date(fromMs).toISOString(),
  until: new Date(untilMs).toISOString(),
  box: box ?? undefined,
  model: model ?? undefined,
  key: key ?? undefined,
});

export type FigureCard = {
  name: string;
  value: string;
  /** Compared with the period before; null without a figure of both. */
  delta: string | null;
  /** Failures became more. */
  isWorse: boolean;
  /** One value per bucket, null where unknown. */
  values: (number | null)[];
  /** The same of the period that it is compared with; empty without one. */
  compared: (number | null)[];
  tone: "one" | "two" | "three" | "four" | "bad";
};

/**
 * @param before    the period that it is compared with; null while it is unknown
 * @param isDrawn   also draws the course of that period
 */
export function figureCards(
  activity: Activity,
  before: Activity | null,
  isDrawn = false,
): FigureCard[] {
  const { total } = activity;
  const points = wholePoints(activity);
  const earlier = isDrawn ? alignedPoints(activity, before).slice(0, points.length) : [];
  const isCounted = countedIn(activity);
  const card = (
    name: string,
    tone: FigureCard["tone"],
    of: (figures: ActivityFigures) => number | null,
    format: (value: number) => string,
    deltaOf: (now: number, before: number) => string | null = relative,
  ): FigureCard => {
    const value = of(total);
    const past = before === null ? null : of(before.total);
    return {
      name,
      tone,
      value: value === null ? "–" : format(value),
      delta: value === null || past === null ? null : deltaOf(value, past),
      isWorse: tone === "bad" && value !== null && past !== null && value > past,
      values: points.map((point) => (isCounted(point) ? of(point) : null)),
      compared: earlier.map((point) => (point === null ? null : of(point))),
    };
  };
  return [
    card(
      "Requests",
      "one",
      (of) => of.requests_per_minute,
      (value) => `${short(value)} /min`,
    ),
    card("Output tokens", "two", (of) => of.tokens_per_second, tokenRate),
    card("First token, P95", "four", (of) => of.ttft_p95_ms, duration),
    card("Latency, P95", "three", (of) => of.latency_p95_ms, duration),
    card("Errors", "bad", (of) => of.error_rate, percent, points100),
    card("Energy per 1k tokens", "one", (of) => of.energy_j_per_1k_tokens, energy),
  ];
}

/**
 * Returns the bucket of an earlier period for each bucket of a later one; null where it is unknown. The
 * two have the same length, so their buckets correspond in their order.
 */
export function alignedPoints(
  { points, step_seconds }: Activity,
  before: Activity | null,
): (ActivityPoint | null)[] {
  if (before === null || before.step_seconds !== step_seconds) return points.map(() => null);
  const isCounted = countedIn(before);
  return points.map((_, index) => {
    const point = before.points[index];
    return point !== undefined && isCounted(point) ? point : null;
  });
}

/** Until the bucket in which counting began, one without requests is unknown and not 0. */
function countedIn({ points, since }: Activity): (point: ActivityPoint) => boolean {
  const sinceMs = since === null ? Number.NEGATIVE_INFINITY : Date.parse(since);
  const unknown = new Set(points.filter(({ timestamp }) => Date.parse(timestamp) <= sinceMs));
  return (point) => point.requests > 0 || !unknown.has(point);
}

/** Leaves out the bucket that is not over: its figures mean little. */
function wholePoints({ points, step_seconds }: Activity): Activity["points"] {
  const last = points.at(-1);
  const isOver =
    last === undefined || Date.parse(last.timestamp) + 1_000 * step_seconds <= Date.now();
  return isOver ? points : points.slice(0, -1);
}

const sign = (value: number): string => (value > 0 ? "+" : value < 0 ? "−" : "±");

function relative(now: number, before: number): string | null {
  if (before === 0) return null;
  const change = Math.round((100 * (now - before)) / before);
  return `${sign(change)}${Math.abs(change)}\u202f%`;
}

/** Rates differ by percentage points. */
function points100(now: number, before: number): string {
  const change = Math.round(1_000 * (now - before)) / 10;
  return `${sign(change)}${Math.abs(change)}\u202fpt`;
}
