/** The requests in flight, oldest first, so that a stuck one is at the top. */
import type { InFlight } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { Moment, Pill, Section, TableScroll } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { count, elapsed, UNKNOWN } from "../../shape/format.ts";

/** "queued", and its place if the agent's queue has the request. */
const waiting = ({ queue_position }: InFlight): string =>
  queue_position === null ? "queued" : `queued, no. ${count(queue_position)}`;

export function InFlightTable({ requests }: { requests: readonly InFlight[] }) {
  return (
    <Section title="In flight" aside={<span class="aside">{count(requests.length)}</span>}>
      {/* Always of the same height, so that the list below it never moves. */}
      <div class="in-flight">
        <TableScroll label="Requests in flight">
          <table>
            <thead>
              <tr>
                <th scope="col">Started</th>
                <th scope="col">State</th>
                <th scope="col">Model</th>
                <th scope="col">Box</th>
                <th scope="col">Endpoint</th>
                <th scope="col">Key</th>
                <th scope="col" class="number">
                  Starts in
                </th>
                <th scope="col" class="number">
                  Elapsed
                </th>
              </tr>
            </thead>
            <tbody>
              {/* Keyed by place: when a request ends, no row moves; the others get new contents. */}
              {requests.map((request, place) => (
                <tr key={place}>
                  <td>
                    <Moment iso={request.started_at} />
                  </td>
                  <td>
                    {request.is_queued ? (
                      <Pill tone="warn">{waiting(request)}</Pill>
                    ) : (
                      <Pill tone="accent">running</Pill>
                    )}
                  </td>
                  <td class="strong">{request.model ?? UNKNOWN}</td>
                  <td>
                    <BoxCell box={request.box} />
                  </td>
                  <td class="mono">{request.endpoint}</td>
                  <td>{request.key_id ?? UNKNOWN}</td>
                  <td class="number">
                    {request.queue_eta_ms === null ? UNKNOWN : elapsed(request.queue_eta_ms)}
                  </td>
                  <td class="number">{elapsed(nowMs.value - Date.parse(request.started_at))}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {requests.length === 0 && <p class="quiet line">No requests in flight.</p>}
        </TableScroll>
      </div>
    </Section>
  );
}
