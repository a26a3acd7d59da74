/** Where the time of a request went, as one bar; with words and figures in the detail. */
import type { LogEntry } from "../../../protocol/api/stats.ts";
import { duration, percent } from "../../shape/format.ts";
import { type Phase, segmentsOf } from "../../shape/waterfall.ts";

const NAMES: Record<Phase, string> = {
  edge: "At the edge",
  tunnel: "Through the tunnel and back",
  queue: "Waiting for a slot",
  load: "Loading the model",
  prefill: "Reading the prompt",
  decode: "Writing the answer",
  rest: "Not told apart",
};

export function Waterfall({ entry }: { entry: LogEntry }) {
  const segments = segmentsOf(entry);
  const said = segments.map(({ phase, ms }) => `${NAMES[phase]} ${duration(ms)}`).join(", ");
  return (
    <span class="waterfall" role="img" aria-label={said || "no times known"} title={said}>
      {segments.map(({ phase, part }) => (
        <i key={phase} class={phase} style={{ width: `${100 * part}%` }} />
      ))}
    </span>
  );
}

function sourceOf({ edge_ms, tunnel_ms }: LogEntry): string {
  const box =
    "The phases on the box are as Ollama tells them, or as its answer came; what neither tells, and the caller's own pace, is not told apart.";
  if (edge_ms === null) return `Measured on the box alone. ${box}`;
  if (tunnel_ms === null) return `How long the tunnel took is not known. ${box}`;
  return `The tunnel is as the last heartbeat before the request measured it. ${box}`;
}

export function WaterfallTable({ entry }: { entry: LogEntry }) {
  return (
    <div>
      <table class="phases">
        <caption class="sr-only">Where the time went</caption>
        <tbody>
          {segmentsOf(entry).map(({ phase, ms, from, part }) => (
            <tr key={phase}>
              <th scope="row">{NAMES[phase]}</th>
              <td class="number">{duration(ms)}</td>
              <td class="number quiet">{percent(part)}</td>
              <td class="phase-bar">
                <i
                  class={phase}
                  style={{ marginLeft: `${100 * from}%`, width: `${100 * part}%` }}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="footnote">{sourceOf(entry)}</p>
    </div>
  );
}
