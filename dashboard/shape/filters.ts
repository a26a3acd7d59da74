/** The filters of the request list, as they appear in the URL and in the query to the API. Pure. */

export const STATUSES = ["success", "error", "cancelled"] as const;

/** Selectable periods, in seconds before now. */
export const PERIODS = { "15m": 900, "1h": 3_600, "24h": 86_400, "7d": 604_800 } as const;

export type Filters = {
  status?: string;
  model?: string;
  box?: string;
  key?: string;
  q?: string;
  /**
   * Either a period before now, or `from` and `until` as `datetime-local` values: in the viewer's
   * zone, to the minute.
   */
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

/** Picks the filters out of the URL's query. */
export const filtersOf = (query: Record<string, string>): Filters =>
  Object.fromEntries(FILTER_NAMES.flatMap((name) => (query[name] ? [[name, query[name]]] : [])));

export const isFiltered = (filters: Filters): boolean =>
  FILTER_NAMES.some((name) => filters[name] !== undefined);

/**
 * Returns the cursors of all pages up to the current one. Keeping all of them in the URL makes
 * "Newer" work on a shared link too. New requests do not shift the content of a page.
 */
export const cursorsOf = ({ after = "" }: Record<string, string>): string[] =>
  after === "" ? [] : after.split(".");
export const afterOf = (cursors: readonly string[]): string => cursors.join(".");

const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Builds the query of `/api/stats/logs`. A request id instead of a text selects that request, of any
 * age, and no other filter applies.
 * @param minuteMs  the current time, rounded down to the minute so that the query does not change
 *   every second
 */
export function logQueryOf(
  { period, from, until, status, ...rest }: Filters,
  minuteMs: number,
): Record<string, string | undefined> {
  if (rest.q !== undefined && REQUEST_ID.test(rest.q)) return { id: rest.q.toLowerCase() };
  const seconds = Object.entries(PERIODS).find(([name]) => name === period)?.[1] ?? null;
  return {
    ...rest,
    status: STATUSES.find((each) => each === status),
    since: seconds === null ? instantOf(from) : new Date(minuteMs - seconds * 1_000).toISOString(),
    until: seconds === null ? instantOf(until) : undefined,
  };
}

/**
 * Converts a `datetime-local` value to an ISO instant. Returns undefined if it is not a valid time.
 */
function instantOf(local: string | undefined): string | undefined {
  const ms = local === undefined ? Number.NaN : Date.parse(local);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
