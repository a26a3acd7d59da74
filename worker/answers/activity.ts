/** `/api/stats/activity`, from cells. Pure. */
import {
  ACTIVITY_GROUPS_MAX,
  ACTIVITY_POINTS_MAX,
  ACTIVITY_SECONDS_MAX,
  ACTIVITY_STEPS,
  type Activity,
  type ActivityFigures,
  type ActivityGroup,
  type ActivityPoint,
  type ActivityQuery,
  type ActivitySplit,
} from "../../protocol/api/activity.ts";
import { PERIOD_SECONDS_MIN } from "../../protocol/api/period.ts";
import type { HistoryPoint } from "../../protocol/api/stats.ts";
import { Cell, sumOf } from "../counting/cell.ts";
import { BINS_PER_POWER, upperOfBand } from "../counting/sketch.ts";
import { totalOf } from "../counting/total.ts";
import { isoOf, percentilesOf, rounded, roundedOrNull } from "./figures.ts";
import { endOf, type Span } from "./history.ts";
import { costOf } from "./stats.ts";

/** Bands of half a power of two: 11 of them from 30 ms to 1.4 s. */
const BINS_PER_BAND = BINS_PER_POWER / 2;

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;
/** Requests are counted by minute. Finer buckets are summed from the ledger. */
const FROM_LEDGER_SECONDS_MAX = 900;
/** By key they are counted by hour. */
const KEYS_FROM_LEDGER_SECONDS_MAX = 6 * HOUR_SECONDS;

/**
 * Returns the whole buckets that contain the period of a query.
 * @param minutesKeptSeconds  age from which requests are counted by hour only
 */
export function activitySpan(
  { seconds, since, until, key, split }: ActivityQuery,
  nowMs: number,
  minutesKeptSeconds: number,
): Span {
  const to = until === undefined ? nowMs / 1_000 : Date.parse(until) / 1_000;
  const wanted = since === undefined ? to - (seconds ?? HOUR_SECONDS) : Date.parse(since) / 1_000;
  // A link may have been made by somebody whose clock is ahead.
  const from = Math.max(to - ACTIVITY_SECONDS_MAX, Math.min(wanted, to - PERIOD_SECONDS_MIN));
  const length = to - from;
  const isByKey = key !== undefined || split?.includes("key") === true;
  const finest =
    nowMs / 1_000 - from > minutesKeptSeconds || (isByKey && length > KEYS_FROM_LEDGER_SECONDS_MAX)
      ? HOUR_SECONDS
      : length <= FROM_LEDGER_SECONDS_MAX
        ? 0
        : MINUTE_SECONDS;
  const step =
    ACTIVITY_STEPS.find((each) => each >= finest && length / each <= ACTIVITY_POINTS_MAX) ??
    ACTIVITY_STEPS[ACTIVITY_STEPS.length - 1] ??
    HOUR_SECONDS;
  const first = Math.floor(from / step) * step;
  return { from: first, granularity: step, buckets: Math.max(1, Math.ceil((to - first) / step)) };
}

/** The time and the money that an activity covers. */
export type ActivityPlan = {
  span: Span;
  nowMs: number;
  /** When counting began, unix ms. */
  sinceMs: number;
  /** Null until a tariff was set. */
  currency: string | null;
};

/** The parts of an answer that are counted. */
export type Counted = Pick<
  Activity,
  "total" | "points" | "groups" | "latencies" | "cost_currency" | "since"
>;

/** Sums over time, by the index of the bucket. */
type Sums = Map<number, Cell>;

export class GatheredActivity {
  readonly #plan: ActivityPlan;
  readonly #buckets: Cell[];
  readonly #groups = new Map<ActivitySplit, Map<string | null, Sums>>();

  /** @param splits  the groups that the answer has */
  constructor(plan: ActivityPlan, splits: readonly ActivitySplit[]) {
    this.#plan = plan;
    for (const split of splits) this.#groups.set(split, new Map());
    this.#buckets = Array.from({ length: plan.span.buckets }, () => new Cell());
  }

  /** @param at  start of the cell, unix seconds */
  add(at: number, cell: Cell): void {
    this.#buckets[this.#indexOf(at)]?.merge(cell);
  }

  /** Adds to a group only. */
  addTo(split: ActivitySplit, group: string | null, at: number, cell: Cell): void {
    const index = this.#indexOf(at);
    const groups = this.#groups.get(split);
    if (groups === undefined || this.#buckets[index] === undefined) return;
    const sums: Sums = groups.get(group) ?? new Map();
    const sum = sums.get(index) ?? new Cell();
    sum.merge(cell);
    sums.set(index, sum);
    groups.set(group, sums);
  }

  /** @param nameOf  the name of a key */
  counted(nameOf: (key: string) => string | null): Counted {
    const { span, nowMs, sinceMs, currency } = this.#plan;
    return {
      since: isoOf(sinceMs),
      cost_currency: currency,
      total: figuresOf(sumOf(this.#buckets), this.#seconds, currency),
      points: this.#buckets.map((cell, index) => {
        const start = span.from + index * span.granularity;
        const elapsed = Math.min(span.granularity, nowMs / 1_000 - start);
        return { timestamp: isoOf(start * 1_000), ...figuresOf(cell, elapsed, currency) };
      }),
      groups: {
        model: this.#listed("model", () => null),
        box: this.#listed("box", () => null),
        key: this.#listed("key", nameOf),
      },
      latencies: latenciesOf(this.#buckets),
    };
  }

  #indexOf(at: number): number {
    const { from, granularity } = this.#plan.span;
    return Math.floor((at - from) / granularity);
  }

  /** Elapsed time of the period, as far as requests were counted. */
  get #seconds(): number {
    const { span, nowMs } = this.#plan;
    return Math.min(endOf(span), nowMs / 1_000) - Math.max(span.from, this.#countedFrom);
  }

  /**
   * Unix seconds. An agent that had no edge, or has a new one, reports requests of the time before: then
   * that time is counted too.
   */
  get #countedFrom(): number {
    const { span, sinceMs } = this.#plan;
    const first = this.#buckets.findIndex(({ total }) => total > 0);
    const firstEnd = span.from + (first + 1) * span.granularity;
    const isEarlier = first >= 0 && firstEnd <= sinceMs / 1_000;
    return isEarlier ? firstEnd - span.granularity : sinceMs / 1_000;
  }

  #listed(split: ActivitySplit, nameOf: (group: string) => string | null): ActivityGroup[] | null {
    const counted = this.#groups.get(split);
    if (counted === undefined) return null;
    const own = [...counted].map(([group, sums]) => this.#groupOf(group, sums));
    const groups = [...own, ...this.#unassigned(own)].toSorted(
      (a, b) => b.total - a.total || compared(a.group, b.group),
    );
    const first = groups.slice(0, ACTIVITY_GROUPS_MAX);
    const rest = groups.slice(ACTIVITY_GROUPS_MAX);
    const shown = first.map((group) => ({
      ...group,
      name: group.group === null ? null : nameOf(group.group),
    }));
    return rest.length === 0 ? shown : [...shown, this.#restOf(rest)];
  }

  #groupOf(group: string | null, sums: Sums): ActivityGroup {
    const sum = sumOf(sums.values());
    const figures = figuresOf(sum, this.#seconds, this.#plan.currency);
    return {
      group,
      is_rest: false,
      name: null,
      requests: this.#buckets.map((_, index) => sums.get(index)?.total ?? 0),
      total: figures.requests,
      errors: figures.errors,
      tokens: figures.tokens,
      tokens_per_second: figures.tokens_per_second,
      ttft_p95_ms: figures.ttft_p95_ms,
      energy_j: figures.energy_j,
      cost_per_million_output: figures.cost_per_million_output,
    };
  }

  /** Returns the requests that are in none of the groups: those without a key are in no hour of a key. */
  #unassigned(groups: readonly ActivityGroup[]): ActivityGroup[] {
    if (groups.some(({ group }) => group === null)) return [];
    const all = this.#groupOf(null, new Map(this.#buckets.entries()));
    const sum = this.#restOf(groups);
    if (all.total <= sum.total) return [];
    return [
      {
        ...all,
        requests: all.requests.map((requests, n) => Math.max(0, requests - (sum.requests[n] ?? 0))),
        total: all.total - sum.total,
        errors: Math.max(0, all.errors - sum.errors),
        tokens: Math.max(0, all.tokens - sum.tokens),
        tokens_per_second: Math.max(0, rounded(all.tokens_per_second - sum.tokens_per_second)),
        ttft_p95_ms: null,
        energy_j:
          all.energy_j === null ? null : Math.max(0, rounded(all.energy_j - (sum.energy_j ?? 0))),
        cost_per_million_output: null,
      },
    ];
  }

  #restOf(groups: readonly ActivityGroup[]): ActivityGroup {
    const energies = groups.map(({ energy_j }) => energy_j).filter((energy) => energy !== null);
    const sumBy = (of: (group: ActivityGroup) => number) => totalOf(groups.map(of));
    return {
      group: null,
      is_rest: true,
      name: null,
      requests: this.#buckets.map((_, index) => sumBy(({ requests }) => requests[index] ?? 0)),
      total: sumBy(({ total }) => total),
      errors: sumBy(({ errors }) => errors),
      tokens: sumBy(({ tokens }) => tokens),
      tokens_per_second: rounded(sumBy(({ tokens_per_second }) => tokens_per_second)),
      ttft_p95_ms: null,
      energy_j: energies.length === 0 ? null : rounded(totalOf(energies)),
      cost_per_million_output: null,
    };
  }
}

/** Nulls last. */
const compared = (a: string | null, b: string | null): number =>
  a === b ? 0 : a === null ? 1 : b === null || a < b ? -1 : 1;

/** @param seconds  elapsed time, of which at least one second counts */
function figuresOf(cell: Cell, seconds: number, currency: string | null): ActivityFigures {
  const elapsed = Math.max(1, seconds);
  const { cost, cost_per_million_output } = costOf(cell, currency);
  return {
    requests: cell.total,
    errors: cell.requests.error,
    cancelled: cell.requests.cancelled,
    resumes: cell.resumes,
    tokens: cell.completionTokens,
    prompt_tokens: cell.promptTokens,
    requests_per_minute: rounded((60 * cell.total) / elapsed),
    tokens_per_second: rounded(cell.completionTokens / elapsed),
    error_rate: cell.errorRate,
    avg_latency_ms: roundedOrNull(cell.meanLatencyMs),
    ...percentilesOf(cell),
    energy_j: cell.energyRequests === 0 ? null : rounded(cell.energyJ),
    energy_j_per_1k_tokens: roundedOrNull(cell.energyPerThousandTokensJ),
    cost,
    cost_per_million_output,
  };
}

function latenciesOf(cells: readonly Cell[]): Activity["latencies"] {
  const bands = cells.map(({ latency }) => latency.bands(BINS_PER_BAND));
  const indices = bands.flatMap((counts) => [...counts.keys()]);
  if (indices.length === 0) return { bounds_ms: [], counts: cells.map(() => []) };
  const first = Math.min(...indices);
  const last = Math.max(...indices);
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return {
    bounds_ms: [first - 1, ...all].map((band) => rounded(upperOfBand(band, BINS_PER_BAND))),
    counts: bands.map((counts) => all.map((band) => counts.get(band) ?? 0)),
  };
}

/** Figures that an external store does not have are unknown. */
const NOT_STORED = {
  energy_j: null,
  energy_j_per_1k_tokens: null,
  cost: null,
  cost_per_million_output: null,
} as const satisfies Partial<ActivityFigures>;

/**
 * Makes an activity of a history.
 * @param whole  the same period as one bucket
 */
export function storedActivity(
  points: readonly HistoryPoint[],
  whole: HistoryPoint,
  sinceMs: number,
): Counted {
  const { timestamp: _, ...total } = whole;
  return {
    since: isoOf(sinceMs),
    cost_currency: null,
    total: { ...total, ...NOT_STORED },
    points: points.map((point): ActivityPoint => ({ ...point, ...NOT_STORED })),
    groups: { model: null, box: null, key: null },
    latencies: null,
  };
}
