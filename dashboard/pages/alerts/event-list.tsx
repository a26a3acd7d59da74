/** The events of the boxes of the scope, newest first, by kind. */
import { useSignal } from "@preact/signals";
import type { Events } from "../../../protocol/api/events.ts";
import { read } from "../../data/api.ts";
import { useHeld } from "../../data/held.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { useQuery } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { EventRows } from "../../parts/event-rows.tsx";
import { EVENT_GROUPS, type EventGroup, kindsOf } from "../../shape/events.ts";

const LIMIT = 100;
const EVERY_MS = 5_000;

export function EventList() {
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
  // New events wait, so that nothing moves under the reader. The shown ones stay up to date.
  const ids = ({ events }: Events) => events.map(({ id }) => id);
  const held = useHeld(name, { data, isLoading }, data?.events.length !== 0, ids);
  const latest = new Map(data?.events.map((event) => [event.id, event]));
  const first = (held.shown?.events ?? []).map((event) => latest.get(event.id) ?? event);
  const oldest = first.at(-1)?.id ?? Number.POSITIVE_INFINITY;
  const events = [...first, ...(more?.events ?? []).filter(({ id }) => id < oldest)];
  return (
    <Section
      title="Events"
      aside={
        <>
          {held.waiting > 0 && (
            <button type="button" class="small waiting" onClick={held.showWaiting}>
              {held.waiting === LIMIT ? `${LIMIT} or more` : held.waiting} new
            </button>
          )}
          <Choice
            label="Kinds of events"
            options={EVENT_GROUPS.map(({ name: value, title }) => ({ value, name: title }))}
            chosen={group}
            choose={(kinds) => change({ kinds: kinds === "all" ? "" : kinds })}
          />
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
        <EventRows events={events} isLoading={isLoading} />
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
