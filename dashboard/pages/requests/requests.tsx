/**
 * The Requests page: requests in flight, and finished ones with filters, paging, details and
 * exports.
 */
import { minuteMs } from "../../data/clock.ts";
import { live } from "../../data/live.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { useQuery } from "../../data/query.ts";
import { Empty, FailureNote, Section } from "../../parts/basics.tsx";
import {
  afterOf,
  cursorsOf,
  type Filters,
  filtersOf,
  isFiltered,
  logQueryOf,
} from "../../shape/filters.ts";
import { count } from "../../shape/format.ts";
import { Export } from "./export.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { useHeld } from "./held.ts";
import { InFlightTable } from "./in-flight.tsx";
import { LogList } from "./log-list.tsx";
import { OpenedRequest } from "./opened.tsx";

const PAGE_SIZE = 50;

export function Requests() {
  const { query } = place.value;
  const filters = filtersOf(query);
  const cursors = cursorsOf(query);
  const cursor = cursors.at(-1);
  const filterQuery = logQueryOf(filters, minuteMs.value);
  // Only the first page updates automatically.
  const reading = useQuery(
    "/api/stats/logs",
    { query: { ...filterQuery, limit: PAGE_SIZE, texts: "short", cursor } },
    cursor === undefined ? 0 : null,
  );
  const { error, isLoading, refetch } = reading;
  const opened = query.open ?? null;
  const list = useHeld(JSON.stringify([filters, cursor]), reading, opened !== null);
  const data = list.shown;
  const isElsewhere =
    opened !== null && data !== null && !data.logs.some(({ id }) => id === opened);
  // All state is in the URL, so a link shows the same page of the same list with the same request
  // open.
  const change = (changed: Filters) => replaceQuery("requests", changed);
  const turnTo = (pages: string[]) =>
    replaceQuery("requests", { ...filters, after: afterOf(pages) });
  const open = (id: string | null) => replaceQuery("requests", { ...query, open: id ?? undefined });
  const next = data?.next_cursor ?? null;
  const first = cursors.length * PAGE_SIZE;

  return (
    <>
      {live.value !== null && <InFlightTable requests={live.value.value.in_flight} />}
      <Section
        title="Finished requests"
        aside={
          <>
            <span class="aside" role="status">
              {data === null
                ? ""
                : `${count(data.total)} ${isFiltered(filters) ? "matching" : "stored"}`}
            </span>
            <Export filterQuery={filterQuery} />
          </>
        }
      >
        <FilterBar filters={filters} change={change} />
        {error !== null && (
          <FailureNote title="Could not load the requests." detail={error} retry={refetch} />
        )}
        {isElsewhere && <OpenedRequest key={opened} id={opened} open={open} />}
        {list.waiting > 0 && (
          <div class="waiting">
            <button type="button" onClick={list.showWaiting}>
              {list.waiting === PAGE_SIZE ? `${PAGE_SIZE} or more` : count(list.waiting)} new
            </button>
          </div>
        )}
        {(data !== null || error === null) && (
          <LogList
            label="Request list"
            logs={data?.logs ?? null}
            lines={8}
            isLoading={isLoading}
            opened={opened}
            open={open}
          >
            <Empty
              title={
                isFiltered(filters) ? "No requests match these filters" : "No finished requests yet"
              }
            >
              {isFiltered(filters) ? (
                <button type="button" onClick={() => change({})}>
                  Clear filters
                </button>
              ) : (
                <p>
                  Send a request to a model, or try the <a href="#/chat">chat</a>.
                </p>
              )}
            </Empty>
          </LogList>
        )}
        {data !== null && (next !== null || cursors.length > 0) && (
          <nav class="pager" aria-label="Result pages">
            <button type="button" disabled={cursors.length === 0} onClick={() => turnTo([])}>
              Newest
            </button>
            <button
              type="button"
              disabled={cursors.length === 0}
              onClick={() => turnTo(cursors.slice(0, -1))}
            >
              Newer
            </button>
            <span class="aside">
              {count(first + 1)} to {count(first + data.logs.length)}
            </span>
            <button
              type="button"
              disabled={next === null}
              onClick={() => next !== null && turnTo([...cursors, next])}
            >
              Older
            </button>
          </nav>
        )}
      </Section>
    </>
  );
}
