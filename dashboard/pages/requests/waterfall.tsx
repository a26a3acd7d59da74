/** Where the time of a request went, as one bar; with words and figures in the detail. */
import type { LogEntry } from "../../../protocol/api/stats.ts";
import { duration, percent } from "../../shape/format.ts";
import { type Phase, segmentsOf } from "../../shape/waterfall.ts";

const NAMES: Record<Phase, string> = {
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
                <i class={phase} style={{ marginLeft: `${100 * from}%`, width: `${100 * part}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="footnote">Measured on the box, from the arrival of the request there. The way over edge and tunnel is not in it.</p>
    </div>
  );
}
