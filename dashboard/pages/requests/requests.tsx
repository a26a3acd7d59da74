/**
 * The Requests page: what is in flight, and what has finished, with counts to narrow it, a histogram, and
 * a panel for one request. All state is in the URL, so a link shows the same.
 */
import { useEffect, useRef } from "preact/hooks";
import type { Logs } from "../../../protocol/api/logs.ts";
import { isSorted } from "../../../protocol/log-order.ts";
import { minuteMs } from "../../data/clock.ts";
import { useHeld } from "../../data/held.ts";
import { live } from "../../data/live.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { Empty, FailureNote, Skeleton } from "../../parts/basics.tsx";
import {
  afterOf,
  cursorsOf,
  type Filters,
  filterQuery,
  filtersOf,
  idIn,
  isFiltered,
  nextOrder,
  pageQuery,
  selectionBefore,
  selectionOf,
  unfiltered,
} from "../../shape/filters.ts";
import { count } from "../../shape/format.ts";
import { brushed, isLive, type ScopeTime } from "../../shape/scope.ts";
import { TimeBars } from "./bars.tsx";
import { ColumnsMenu } from "./columns-menu.tsx";
import { Export } from "./export.tsx";
import { Facets } from "./facets.tsx";
import { InFlightList } from "./in-flight.tsx";
import { LogTable } from "./log-table.tsx";
import { Pager } from "./pager.tsx";
import { Search } from "./search.tsx";
import { Side } from "./side.tsx";

const PAGE_SIZE = 50;
/** Counting reads all requests of the edge. */
const FACETS_MS = 15_000;
/** Wide enough for a few pixels each. */
const BUCKETS = 72;

export function Requests() {
  const { query } = place.value;
  const filters = filtersOf(query);
  const cursors = cursorsOf(query);
  const opened = query.open ?? null;
  const isFollowing = isLive(filters) && !isSorted(filters) && cursors.length === 0;
  const selection = selectionOf(filters, minuteMs.value);
  const facets = useQuery(
    "/api/stats/logs/facets",
    { query: { ...(idIn(filters) === null && selection), buckets: BUCKETS } },
    isLive(filters) ? FACETS_MS : null,
  );
  const before = selectionBefore(filters, minuteMs.value);
  const compared = useQuery(
    "/api/stats/logs/facets",
    { query: { ...before, buckets: BUCKETS } },
    null,
    before !== null,
  );
  const reading = useQuery(
    "/api/stats/logs",
    {
      query: {
        ...pageQuery(filters, cursors.at(-1), minuteMs.value),
        limit: PAGE_SIZE,
        texts: "short",
      },
    },
    isFollowing ? 0 : null,
  );
  const { error, isLoading, refetch } = reading;
  const name = JSON.stringify([filters, cursors.at(-1)]);
  // New rows wait, so that nothing moves under the reader. An empty list has nothing to move.
  const isEmpty = useRef(true);
  const list = useHeld(name, reading, !isEmpty.current, ({ logs }) => logs.map(({ id }) => id));
  const data = list.shown;
  isEmpty.current = data === null || data.logs.length === 0;

  const set = (changed: Filters, rest: Record<string, string | undefined> = {}) =>
    replaceQuery("requests", { ...filterQuery(changed), open: opened ?? undefined, ...rest });
  const turnTo = (pages: string[]) => set(filters, { after: afterOf(pages) });
  const open = (id: string | null) => replaceQuery("requests", { ...query, open: id ?? undefined });
  const zooms = useRef<ScopeTime[]>([]);
  const zoomTo = (one: number, other: number) => {
    zooms.current.push(filters);
    set({ ...filters, ...brushed(one, other) });
  };
  const zoomOut = () => {
    const { seconds = null, fromMs = null, untilMs = null } = zooms.current.pop() ?? {};
    set({ ...filters, seconds, fromMs, untilMs });
  };
  useClosing(opened, open);

  return (
    <div class={opened === null ? "explorer" : "explorer with-side"}>
      <Facets facets={facets.data} filters={filters} change={set} />
      <section class="explorer-main" aria-label="Requests">
        <div class="explorer-bar">
          <Search value={filters.q ?? ""} change={(q) => set({ ...filters, q: q || null })} />
          <ColumnsMenu />
          <Export filterQuery={selection} />
        </div>
        {live.value !== null && (
          <InFlightList requests={live.value.value.in_flight} opened={opened} open={open} />
        )}
        <div class="list-head">
          <h2>Finished</h2>
          <span class="aside" role="status">
            {data === null
              ? ""
              : `${count(data.total)} ${isFiltered(filters) ? "matching" : "stored"}`}
          </span>
          {list.waiting > 0 && (
            <button type="button" class="small waiting" onClick={list.showWaiting}>
              {list.waiting === PAGE_SIZE ? `${PAGE_SIZE} or more` : count(list.waiting)} new
            </button>
          )}
          {filters.fromMs !== null && (
            <button type="button" class="small zoom-out" onClick={zoomOut}>
              Zoom out
            </button>
          )}
        </div>
        <TimeBars
          histogram={facets.data?.histogram ?? null}
          before={before === null ? null : (compared.data?.histogram ?? null)}
          select={zoomTo}
        />
        {error !== null && (
          <FailureNote title="Could not load the requests." detail={error} retry={refetch} />
        )}
        {data === null
          ? error === null && <Skeleton lines={8} />
          : data.logs.length > 0 && (
              <LogTable
                logs={data.logs}
                columns={preferences.value.columns}
                isLoading={isLoading}
                opened={opened}
                open={open}
                order={filters}
                sortBy={(sort) => set({ ...filters, ...nextOrder(filters, sort) })}
              />
            )}
        {data?.logs.length === 0 && (
          <Nothing isFiltered={isFiltered(filters)} clear={() => set(unfiltered(filters))} />
        )}
        {data !== null && (
          <Pager
            cursors={cursors}
            shown={data.logs.length}
            next={nextOf(data)}
            pageSize={PAGE_SIZE}
            turnTo={turnTo}
          />
        )}
      </section>
      {opened !== null && (
        <Side
          key={opened}
          id={opened}
          isListed={data?.logs.some(({ id }) => id === opened) ?? false}
          open={open}
          neighbours={neighboursOf(data, opened)}
        />
      )}
    </div>
  );
}

/** The place of the next page: a cursor, or an offset of a sorted list. */
const nextOf = ({ next_cursor, next }: Logs): string | null =>
  next_cursor ?? (next === null ? null : String(next));

function neighboursOf(data: Logs | null, id: string) {
  const ids = data?.logs.map((entry) => entry.id) ?? [];
  const at = ids.indexOf(id);
  return {
    newer: at < 0 ? null : (ids[at - 1] ?? null),
    older: at < 0 ? null : (ids[at + 1] ?? null),
  };
}

/** Escape closes the panel, and the focus returns to the row. */
function useClosing(opened: string | null, open: (id: string | null) => void): void {
  const latest = useRef(open);
  latest.current = open;
  useEffect(() => {
    if (opened === null) return;
    const close = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (document.querySelector("dialog[open], :popover-open") !== null) return;
      latest.current(null);
      document.querySelector<HTMLElement>(".row.open .row-link")?.focus();
    };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [opened]);
}

const Nothing = ({ isFiltered, clear }: { isFiltered: boolean; clear: () => void }) => (
  <Empty title={isFiltered ? "No requests match these filters" : "No finished requests yet"}>
    {isFiltered ? (
      <button type="button" onClick={clear}>
        Clear filters
      </button>
    ) : (
      <p>
        Send a request to a model, or try the <a href="#/chat">chat</a>.
      </p>
    )}
  </Empty>
);
