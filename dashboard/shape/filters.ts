/** The filters of the list of requests: as they stand in the address, and as the API is asked. Pure. */

export const STATUSES = ["success", "error", "cancelled"] as const;

/** How far back; the API is asked for a moment. */
export const PERIODS = { "15m": 900, "1h": 3_600, "24h": 86_400, "7d": 604_800 } as const;

export type Filters = {
  status?: string;
  model?: string;
  box?: string;
  key?: string;
  q?: string;
  /** The last so long, or from and until, as `datetime-local` has them: the viewer's zone, to the minute. */
  period?: string;
  from?: string;
  until?: string;
};

export const FILTER_NAMES = [
  "status",
  "model",
  "box",
  "key",
  "q",
  "period",
  "from",
  "until",
] as const satisfies (keyof Filters)[];

/** What of the address is a filter. */
export const filtersOf = (query: Record<string, string>): Filters =>
  Object.fromEntries(FILTER_NAMES.flatMap((name) => (query[name] ? [[name, query[name]]] : [])));

export const isFiltered = (filters: Filters): boolean =>
  FILTER_NAMES.some((name) => filters[name] !== undefined);

/**
 * Which page of the list: the cursors of the pages up to it, so that one can go back by a link too. New
 * requests do not shift what is on a page.
 */
export const cursorsOf = ({ after = "" }: Record<string, string>): string[] =>
  after === "" ? [] : after.split(".");
export const afterOf = (cursors: readonly string[]): string => cursors.join(".");

/** @param minuteMs  now, to the minute: the question must not change with every second */
export function askedOf(
  { period, from, until, status, ...rest }: Filters,
  minuteMs: number,
): Record<string, string | undefined> {
  const seconds = Object.entries(PERIODS).find(([name]) => name === period)?.[1] ?? null;
  return {
    ...rest,
    status: STATUSES.find((each) => each === status),
    since: seconds === null ? instantOf(from) : new Date(minuteMs - seconds * 1_000).toISOString(),
    until: seconds === null ? instantOf(until) : undefined,
  };
}

/** What a `datetime-local` says, as an instant; nothing for what is no time. */
function instantOf(local: string | undefined): string | undefined {
  const ms = local === undefined ? Number.NaN : Date.parse(local);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
