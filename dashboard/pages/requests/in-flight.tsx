/** The requests in flight, oldest first, so that a stuck one is at the top. */
import type { InFlight } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { modelClass } from "../../data/model-colour.ts";
import { BoxCell } from "../../parts/box-cell.tsx";
import { count, elapsed, tokenRate, UNKNOWN } from "../../shape/format.ts";
import { hashOf } from "../../shape/route.ts";
import { StopButton } from "./stop.tsx";

/** The phases of an open request, as they are going on. */
const PHASES: Record<NonNullable<InFlight["phase"]>, string> = {
  queue: "queued",
  load: "loading the model",
  prefill: "reading the prompt",
  decode: "answering",
};

/** Its place, if the agent's queue has the request, and how far it is otherwise. */
export function flightState({ is_queued, queue_position, queue_eta_ms, phase }: InFlight): string {
  if (!is_queued) return phase === null ? "running" : PHASES[phase];
  const state = phase === "load" ? PHASES.load : PHASES.queue;
  if (queue_position === null) return state;
  const eta = queue_eta_ms === null ? "" : `, starts in ${elapsed(queue_eta_ms)}`;
  return `${state}, no. ${count(queue_position)}${eta}`;
}

type Props = {
  requests: readonly InFlight[];
  opened: string | null;
  open: (id: string) => void;
};

export function InFlightList({ requests, opened, open }: Props) {
  return (
    <section class="in-flight" aria-label="Requests in flight">
      <h2>
        In flight <span class="aside">{count(requests.length)}</span>
      </h2>
      {/* Always of the same height, so that the list below it never moves. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable area must be reachable by keyboard */}
      <ul tabIndex={0} aria-label="Requests in flight">
        {requests.length === 0 && <li class="quiet">No requests in flight.</li>}
        {/* Keyed by place: when a request ends, no line moves; the others get new contents. */}
        {requests.map((request, place) => (
          <li key={place} class={request.request_id === opened ? "open" : undefined}>
            <a
              href={hashOf("requests", { open: request.request_id })}
              onClick={(event) => {
                if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                event.preventDefault();
                open(request.request_id);
              }}
            >
              <i
                class={request.is_queued ? "status waiting" : `status ${modelClass(request.model)}`}
              />
              <b>{request.model ?? request.endpoint}</b>
            </a>
            <span class="quiet">
              <BoxCell box={request.box} isBrief />
            </span>
            <span class="in-flight-key quiet">{request.key_name ?? request.key_id ?? ""}</span>
            <span class={request.is_queued ? "warn-text in-flight-state" : "in-flight-state"}>
              {flightState(request)}
            </span>
            <span class="in-flight-rate number">
              {request.tokens_per_second === null ? UNKNOWN : tokenRate(request.tokens_per_second)}
            </span>
            <span class="number">{elapsed(nowMs.value - Date.parse(request.started_at))}</span>
            <StopButton request={request} />
          </li>
        ))}
      </ul>
    </section>
  );
}
