/** Events as lines, each with the requests around it. */
import type { Events } from "../../protocol/api/events.ts";
import { linkTo } from "../data/scope.ts";
import { toneOfEvent } from "../shape/events.ts";
import { brushed } from "../shape/scope.ts";
import { Moment } from "./basics.tsx";

/** The requests around an event. */
const AROUND_MS = 60_000;

type Props = { events: Events["events"]; isLoading?: boolean };

export const EventRows = ({ events, isLoading = false }: Props) => (
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
            ...brushed(Date.parse(event.at) - AROUND_MS, Date.parse(event.last_at) + AROUND_MS),
            ...(event.box !== null && { box: event.box }),
          })}
          aria-label={`Requests around ${event.at}`}
        >
          Requests
        </a>
      </li>
    ))}
  </ol>
);
