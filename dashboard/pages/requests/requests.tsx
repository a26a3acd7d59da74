/** What is served now, and what was: a list with filters, pages, details and exports. */
import { nowMs } from "../../data/clock.ts";
import { live } from "../../data/live.ts";
import { place, stay } from "../../data/place.ts";
import { useRead } from "../../data/query.ts";
import { Empty, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import {
  afterOf,
  askedOf,
  cursorsOf,
  type Filters,
  filtersOf,
  isFiltered,
} from "../../shape/filters.ts";
import { count } from "../../shape/format.ts";
import { Export } from "./export.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { InFlightTable } from "./in-flight.tsx";
import { LogTable } from "./log-table.tsx";

const PAGE = 50;
const MINUTE_MS = 60_000;

export function Requests() {
  const { query } = place.value;
  const filters = filtersOf(query);
  const cursors = cursorsOf(query);
  const cursor = cursors.at(-1);
  const question = askedOf(filters, Math.floor(nowMs.value / MINUTE_MS) * MINUTE_MS);
  // Only the first page changes by itself.
  const reading = useRead(
    "/api/stats/logs",
    { query: { ...question, limit: PAGE, texts: "short", cursor } },
    cursor === undefined ? 0 : null,
  );
  const { data, error, isLoading, refetch } = reading;
  // All of it stands in the address: a link shows the same page of the same list, with the same request open.
  const change = (changed: Filters) => stay("requests", changed);
  const turnTo = (pages: string[]) => stay("requests", { ...filters, after: afterOf(pages) });
  const open = (id: string | null) => stay("requests", { ...query, open: id ?? undefined });
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
              {data === null
                ? ""
                : `${count(data.total)} ${isFiltered(filters) ? "found" : "kept"}`}
            </span>
            <Export question={question} />
          </>
        }
      >
        <FilterBar filters={filters} change={change} />
        {error !== null && (
          <FailureNote what="The list could not be read." why={error} again={refetch} />
        )}
        {data === null ? (
          error === null && <Skeleton lines={8} />
        ) : data.logs.length === 0 ? (
          <Empty
            title={
              isFiltered(filters) ? "Nothing matches these filters" : "No request has finished yet"
            }
          >
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
          <LogTable
            logs={data.logs}
            isLoading={isLoading}
            opened={query.open ?? null}
            open={open}
          />
        )}
        {data !== null && (next !== null || cursors.length > 0) && (
          <nav class="pager" aria-label="Pages of the list">
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
