/**
 * The filters of the request list, its scope included, and its order: in the URL and in the query to the
 * API. Pure.
 */
import type { Facet } from "../../protocol/api/log-facets.ts";
import { CALL_KINDS, type CallKind } from "../../protocol/call-kind.ts";
import { isSorted, LOG_SORTS, type LogSort } from "../../protocol/log-order.ts";
import type { Status } from "../../protocol/records.ts";
import { isRequestId } from "./request-id.ts";
import {
  EVERYTHING,
  type PageScope,
  periodCompared,
  periodOf,
  scopeOf,
  scopeQuery,
} from "./scope.ts";

export const STATUSES = ["success", "error", "cancelled"] as const satisfies Status[];

type Order = { sort: LogSort; order: "desc" | "asc" };

export type Filters = PageScope &
  Order & {
    status: Status | null;
    kind: CallKind | null;
    /** A text in prompt, response or error, or the id of a request. */
    q: string | null;
  };

type Query = Readonly<Record<string, string>>;

/** Picks the filters out of the URL's query. */
export function filtersOf(query: Query): Filters {
  const oneOf = <T extends string>(all: readonly T[], value: string | undefined): T | null =>
    all.find((each) => each === value) ?? null;
  return {
    ...scopeOf(query),
    status: oneOf(STATUSES, query.status),
    kind: oneOf(CALL_KINDS, query.kind),
    q: query.q || null,
    sort: oneOf(LOG_SORTS, query.sort) ?? "time",
    order: oneOf(["desc", "asc"], query.order) ?? "desc",
  };
}

/** Returns the query of the URL, without the place in the list and the opened request. */
export const filterQuery = ({ status, kind, q, sort, order, ...scope }: Filters) => ({
  ...scopeQuery(scope),
  status: status ?? undefined,
  kind: kind ?? undefined,
  q: q ?? undefined,
  sort: sort === "time" ? undefined : sort,
  order: order === "desc" ? undefined : order,
});

/** Without any filter, in the same order. */
export const unfiltered = ({ sort, order }: Filters): Filters => ({
  ...EVERYTHING,
  ...{ status: null, kind: null, q: null },
  ...{ sort, order },
});

export function isFiltered(filters: Filters): boolean {
  const query = filterQuery({ ...filters, compare: null, sort: "time", order: "desc" });
  return Object.values(query).some((value) => value !== undefined);
}

/** Returns the filters with another value of a facet, or without one if it was chosen before. */
export const toggled = (filters: Filters, facet: Facet, value: string): Filters => ({
  ...filters,
  [facet]: filters[facet] === value ? null : value,
});

/** Returns the order after a press on a column: the largest first, then the smallest, then the newest. */
export function nextOrder({ sort, order }: Filters, pressed: LogSort): Order {
  if (sort !== pressed) return { sort: pressed, order: "desc" };
  if (order === "desc") return { sort: pressed, order: "asc" };
  return { sort: "time", order: "desc" };
}

/**
 * Returns the cursors of all pages up to the current one. Keeping all of them in the URL makes
 * "Newer" work on a shared link too. New requests do not shift the content of a page. A sorted list has
 * offsets instead.
 */
export const cursorsOf = ({ after = "" }: Query): string[] =>
  after === "" ? [] : after.split(".");
export const afterOf = (cursors: readonly string[]): string => cursors.join(".");

/** Returns the id if the search is for a request: of any age, and no other filter applies. */
export const idIn = ({ q }: Filters): string | null =>
  q !== null && isRequestId(q) ? q.toLowerCase() : null;

type ApiQuery = Record<string, string | number | undefined>;

/**
 * Builds the part of a query that selects requests.
 * @param minuteMs  the current time, rounded down to the minute so that the query does not change
 *   every second
 */
export function selectionOf(filters: Filters, minuteMs: number): ApiQuery {
  const { box, model, key, status, kind, q, seconds, fromMs, untilMs } = filters;
  const sinceMs = fromMs ?? (seconds === null ? null : (untilMs ?? minuteMs) - 1_000 * seconds);
  const iso = (ms: number | null) => (ms === null ? undefined : new Date(ms).toISOString());
  return {
    box: box ?? undefined,
    model: model ?? undefined,
    key: key ?? undefined,
    status: status ?? undefined,
    kind: kind ?? undefined,
    q: q ?? undefined,
    since: iso(sinceMs),
    until: iso(untilMs),
  };
}

/**
 * Returns the selection of the period that the chosen one is compared with; null without a comparison, or
 * without a time.
 */
export function selectionBefore(filters: Filters, minuteMs: number): ApiQuery | null {
  const { compare, seconds, fromMs } = filters;
  if (compare === null || (seconds === null && fromMs === null)) return null;
  const before = periodCompared(periodOf(filters, minuteMs, 0), compare);
  return selectionOf({ ...filters, ...before, seconds: null }, minuteMs);
}

/** Builds the query of one page of `/api/stats/logs`. @param place  a cursor, or an offset if sorted */
export function pageQuery(filters: Filters, place: string | undefined, minuteMs: number): ApiQuery {
  const id = idIn(filters);
  if (id !== null) return { id };
  const selection = selectionOf(filters, minuteMs);
  const { sort, order } = filters;
  if (!isSorted(filters)) return { ...selection, cursor: place };
  return { ...selection, sort, order, offset: place };
}
