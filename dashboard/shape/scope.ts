/**
 * The scope: the requests that a page is about, by box, model, key and time. It is part of the URL, so
 * a link shows the same. Pure.
 *
 * `range` alone follows the present. With `until` it is paused: the same length, up to that time.
 * `from` with `until` is a fixed period. Times in links are instants, so that a reader in another time
 * zone sees the same requests. Invalid parameters are left out.
 */

export type PageScope = {
  box: string | null;
  model: string | null;
  key: string | null;
  /** Length of the time shown, in seconds; null: the usual one of the page, or `fromMs` is set. */
  seconds: number | null;
  fromMs: number | null;
  /** Null: up to the present. */
  untilMs: number | null;
  /** The period that this one is compared with; null: none. */
  compare: Comparison | null;
};

/** The period of the same length before, or the same time a week before. */
export const COMPARISONS = ["previous", "week"] as const;
export type Comparison = (typeof COMPARISONS)[number];

export type ScopeTime = Pick<PageScope, "seconds" | "fromMs" | "untilMs">;

/** A time from `fromMs` to `untilMs`, without its end. */
export type Period = { fromMs: number; untilMs: number };

/** The parameters of the URL that belong to the scope. A page keeps its own under other names. */
export const SCOPE_NAMES = ["box", "model", "key", "range", "from", "until", "compare"] as const;
type ScopeName = (typeof SCOPE_NAMES)[number];

export const EVERYTHING: PageScope = {
  box: null,
  model: null,
  key: null,
  seconds: null,
  fromMs: null,
  untilMs: null,
  compare: null,
};

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
type Unit = keyof typeof UNIT_SECONDS;
/** Ollama did not exist before. Later than the other, a time is a mistake too. */
const FIRST_MS = Date.UTC(2023, 0, 1);
const LAST_MS = Date.UTC(2100, 0, 1);
const SECONDS_MIN = 10;
/** No store keeps history for longer. */
const SECONDS_MAX = 365 * UNIT_SECONDS.d;

/** Returns the length that a text such as `90m` or `7d` names; null if it names none. */
export function secondsOf(range: string | undefined): number | null {
  const [, amount, unit] = /^(\d{1,8})([smhdw])$/.exec(range ?? "") ?? [];
  if (amount === undefined) return null;
  const seconds = Number(amount) * UNIT_SECONDS[unit as Unit];
  return seconds >= SECONDS_MIN && seconds <= SECONDS_MAX ? seconds : null;
}

/** Returns the shortest text for a length: 90 minutes are `90m`, and 120 are `2h`. */
export function rangeOf(seconds: number): string {
  // A day is 24h, as the presets call it.
  const unit =
    (["d", "h", "m"] as const).find(
      (each) => seconds % UNIT_SECONDS[each] === 0 && (each !== "d" || seconds > UNIT_SECONDS.d),
    ) ?? "s";
  return `${seconds / UNIT_SECONDS[unit]}${unit}`;
}

/** Picks the scope out of the query of a URL. */
export function scopeOf(query: Readonly<Record<string, string>>): PageScope {
  const name = (text: string | undefined) => (text === undefined || text === "" ? null : text);
  return {
    box: name(query.box),
    model: name(query.model),
    key: name(query.key),
    compare: COMPARISONS.find((each) => each === query.compare) ?? null,
    ...timeOf(query),
  };
}

function timeOf({ range, period, from, until }: Readonly<Record<string, string>>): ScopeTime {
  const one = instantMs(from);
  const other = instantMs(until);
  if (one !== null && other !== null && one !== other)
    return { seconds: null, fromMs: Math.min(one, other), untilMs: Math.max(one, other) };
  // Links of earlier versions of the request list have `period`.
  const seconds = secondsOf(range) ?? secondsOf(period);
  if (one !== null && other === null) return { seconds: null, fromMs: one, untilMs: null };
  return { seconds, fromMs: null, untilMs: other };
}

/** Returns the query of a URL, as `hashOf` takes it: a part that is not set is undefined. */
export function scopeQuery(scope: PageScope): Record<ScopeName, string | undefined> {
  return {
    box: scope.box ?? undefined,
    model: scope.model ?? undefined,
    key: scope.key ?? undefined,
    range: scope.seconds === null ? undefined : rangeOf(scope.seconds),
    from: scope.fromMs === null ? undefined : isoInstant(scope.fromMs),
    until: scope.untilMs === null ? undefined : isoInstant(scope.untilMs),
    compare: scope.compare ?? undefined,
  };
}

/** Returns whether the scope follows the present. */
export const isLive = ({ untilMs }: ScopeTime): boolean => untilMs === null;

/** @param usualSeconds  length of the time that the page shows unless one is chosen */
export function periodOf(time: ScopeTime, nowMs: number, usualSeconds: number): Period {
  const untilMs = time.untilMs ?? nowMs;
  if (time.fromMs !== null && time.fromMs < untilMs) return { fromMs: time.fromMs, untilMs };
  return { fromMs: untilMs - 1_000 * (time.seconds ?? usualSeconds), untilMs };
}

/** Returns the period that another one is compared with. */
export function periodCompared({ fromMs, untilMs }: Period, compare: Comparison): Period {
  const distanceMs = compare === "week" ? 1_000 * UNIT_SECONDS.w : untilMs - fromMs;
  return { fromMs: fromMs - distanceMs, untilMs: untilMs - distanceMs };
}

/** Returns the comparison after this one, for a key that switches it. */
export const nextComparison = (compare: Comparison | null): Comparison | null =>
  compare === null ? "previous" : compare === "previous" ? "week" : null;

/** Holds the scope still at `nowMs`, or lets it follow the present again. */
export function paused(time: ScopeTime, nowMs: number): ScopeTime {
  return isLive(time) ? { ...time, untilMs: nowMs } : resumed(time);
}

/** A fixed period that follows the present again keeps its length. */
function resumed({ seconds, fromMs, untilMs }: ScopeTime): ScopeTime {
  if (fromMs === null || untilMs === null) return { seconds, fromMs, untilMs: null };
  const length = Math.round((untilMs - fromMs) / 1_000);
  const kept = Math.min(SECONDS_MAX, Math.max(SECONDS_MIN, length));
  return { seconds: kept, fromMs: null, untilMs: null };
}

/** Returns the time of a selection on a chart, whose ends may be given in either order. */
export function brushed(one: number, other: number): ScopeTime {
  const fromMs = Math.floor(Math.min(one, other) / 1_000) * 1_000;
  const untilMs = Math.max(fromMs + 1_000, Math.ceil(Math.max(one, other) / 1_000) * 1_000);
  return { seconds: null, fromMs, untilMs };
}

function instantMs(text: string | undefined): number | null {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return ms >= FIRST_MS && ms < LAST_MS ? ms : null;
}

/** Whole seconds are written without their thousandths. */
const isoInstant = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");
