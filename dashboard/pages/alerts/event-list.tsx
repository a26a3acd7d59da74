/** The events of boxes, newest first, by kind and box. The filters are in the URL. */
import { useSignal } from "@preact/signals";
import type { Events } from "../../../protocol/api/events.ts";
import { read } from "../../data/api.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo } from "../../data/scope.ts";
import { Choice, FailureNote, Moment, Section, Skeleton } from "../../parts/basics.tsx";
import { EVENT_GROUPS, type EventGroup, kindsOf, toneOfEvent } from "../../shape/events.ts";
import { brushed } from "../../shape/scope.ts";

const LIMIT = 100;
const EVERY_MS = 5_000;
/** The requests around an event. */
const AROUND_MS = 60_000;

export function EventList({ boxes }: { boxes: readonly string[] }) {
  const { query } = place.value;
  const group: EventGroup = EVENT_GROUPS.find(({ name }) => name === query.kinds)?.name ?? "all";
  const wanted = { kind: kindsOf(group), box: query.box, limit: LIMIT };
  const { data, error, refetch, isLoading } = useQuery("/api/events", { query: wanted }, EVERY_MS);
  const older = useSignal<{ of: string; events: Events["events"]; next: number | null } | null>(
    null,
  );
  const name = JSON.stringify(wanted);
  const more = older.value?.of === name ? older.value : null;
  const next = more === null ? (data?.next_cursor ?? null) : more.next;
  const change = (changes: Record<string, string>) =>
    replaceQuery("alerts", { ...query, ...changes });
  const readOlder = async () => {
    if (next === null) return;
    const page = await read("/api/events", { query: { ...wanted, cursor: next } });
    older.value = {
      of: name,
      events: [...(more?.events ?? []), ...page.events],
      next: page.next_cursor,
    };
  };
  const first = data?.events ?? [];
  const oldest = first.at(-1)?.id ?? Number.POSITIVE_INFINITY;
  const events = [...first, ...(more?.events ?? []).filter(({ id }) => id < oldest)];
  return (
    <Section
      title="Events"
      aside={
        <>
          <Choice
            label="Kinds of events"
            options={EVENT_GROUPS.map(({ name: value, title }) => ({ value, name: title }))}
            chosen={group}
            choose={(kinds) => change({ kinds: kinds === "all" ? "" : kinds })}
          />
          <select
            aria-label="Box"
            value={query.box ?? ""}
            onChange={({ currentTarget }) => change({ box: currentTarget.value })}
          >
            <option value="">All boxes</option>
            {boxes.map((box) => (
              <option key={box} value={box}>
                {box}
              </option>
            ))}
          </select>
        </>
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the events." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={6} />
      ) : events.length === 0 ? (
        <p class="quiet">No events of this kind.</p>
      ) : (
        <ol class={isLoading ? "event-list loading" : "event-list"}>
          {events.map((event) => (
            <li key={event.id} class={toneOfEvent(event)}>
              <i class="event-dot" aria-hidden="true" />
              <span class="event-time">
                <Moment iso={event.at} />
              </span>
              <span>
                {event.text}
                {event.count > 1 && <span class="quiet"> ({event.count} times)</span>}
              </span>
              <a
                href={linkTo("requests", {
                  ...brushed(
                    Date.parse(event.at) - AROUND_MS,
                    Date.parse(event.last_at) + AROUND_MS,
                  ),
                  ...(event.box !== null && { box: event.box }),
                })}
                aria-label={`Requests around ${event.at}`}
              >
                Requests
              </a>
            </li>
          ))}
        </ol>
      )}
      {next !== null && (
        <p class="actions">
          <button type="button" onClick={readOlder}>
            Older
          </button>
        </p>
      )}
    </Section>
  );
}
