/** What is served now, and what was: a list with filters, pages, details and exports. */
import { useState } from "preact/hooks";
import { nowMs } from "../../data/clock.ts";
import { live } from "../../data/live.ts";
import { place, stay } from "../../data/place.ts";
import { useRead } from "../../data/query.ts";
import { Empty, Failure, Section, Skeleton } from "../../parts/basics.tsx";
import { askedOf, type Filters, filtersOf, isFiltered } from "../../shape/filters.ts";
import { count } from "../../shape/format.ts";
import { Export } from "./export.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { InFlightTable } from "./in-flight.tsx";
import { LogTable } from "./log-table.tsx";

const PAGE = 50;
const MINUTE_MS = 60_000;

export function Requests() {
  const filters = filtersOf(place.value.query);
  // Cursors of the pages before this one: new requests do not shift what is on a page.
  const [cursors, setCursors] = useState<string[]>([]);
  const cursor = cursors.at(-1);
  const question = askedOf(filters, Math.floor(nowMs.value / MINUTE_MS) * MINUTE_MS);
  // Only the first page changes by itself.
  const reading = useRead(
    "/api/stats/logs",
    { query: { ...question, limit: PAGE, texts: "short", cursor } },
    cursor === undefined ? 0 : null,
  );
  const { data, error, isLoading, refetch } = reading;
  const change = (changed: Filters) => {
    setCursors([]);
    stay("requests", changed);
  };
  const next = data?.next_cursor ?? null;
  const first = cursors.length * PAGE;

  return (
    <>
      {live.value !== null && <InFlightTable requests={live.value.value.in_flight} />}
      <Section
        title="Finished"
        aside={
          <>
            <span class="aside" role="status">
              {data === null ? "" : `${count(data.total)} ${isFiltered(filters) ? "found" : "kept"}`}
            </span>
            <Export question={question} />
          </>
        }
      >
        <FilterBar filters={filters} change={change} />
        {error !== null && <Failure what="The list could not be read." why={error} again={refetch} />}
        {data === null ? (
          error === null && <Skeleton lines={8} />
        ) : data.logs.length === 0 ? (
          <Empty title={isFiltered(filters) ? "Nothing matches these filters" : "No request has finished yet"}>
            {isFiltered(filters) ? (
              <button type="button" onClick={() => change({})}>
                Clear the filters
              </button>
            ) : (
              <p>
                Call a model, or try the <a href="#/chat">chat</a>.
              </p>
            )}
          </Empty>
        ) : (
          <LogTable logs={data.logs} isLoading={isLoading} />
        )}
        {data !== null && (next !== null || cursors.length > 0) && (
          <nav class="pager" aria-label="Pages of the list">
            <button type="button" disabled={cursors.length === 0} onClick={() => setCursors([])}>
              Newest
            </button>
            <button type="button" disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
              Newer
            </button>
            <span class="aside">
              {count(first + 1)} to {count(first + data.logs.length)}
            </span>
            <button type="button" disabled={next === null} onClick={() => next !== null && setCursors([...cursors, next])}>
              Older
            </button>
          </nav>
        )}
      </Section>
    </>
  );
}
