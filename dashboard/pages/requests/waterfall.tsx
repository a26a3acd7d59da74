/** The time of a request by phase: one bar in the list, a table in the details. */
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { duration, percent } from "../../shape/format.ts";
import { type Phase, phasesFrom, type Segment, segmentsOf } from "../../shape/waterfall.ts";

export const PHASE_NAMES: Record<Phase, string> = {
  edge: "Edge",
  tunnel: "Tunnel",
  queue: "Queue",
  load: "Model load",
  prefill: "Prefill",
  decode: "Decode",
  other: "Other",
};

/** @property axisMs  length of the common time axis: a longer request is cut, with a mark */
export function Waterfall({ entry, axisMs }: { entry: LogEntry; axisMs: number }) {
  const segments = segmentsOf(entry);
  const wholeMs = segments.reduce((sum, { ms }) => sum + ms, 0);
  const scale = axisMs > 0 ? wholeMs / axisMs : 0;
  const summary = segments
    .map(({ phase, ms }) => `${PHASE_NAMES[phase]} ${duration(ms)}`)
    .join(", ");
  return (
    <span
      class={scale > 1 ? "waterfall beyond" : "waterfall"}
      role="img"
      aria-label={summary || "Timings unknown"}
      title={summary}
      style={{ backgroundImage: barOf(segments, scale) }}
    />
  );
}

/** One picture instead of an element for each phase: a list has 50 of these. */
function barOf(segments: readonly Segment[], scale: number): string {
  const stops = segments.map(({ phase, from, part }) => {
    const [begin, end] = [100 * scale * from, 100 * scale * (from + part)];
    return `var(--phase-${phase}) ${begin}% ${end}%`;
  });
  const end = Math.min(100, 100 * scale);
  return `linear-gradient(to right, ${[...stops, `transparent ${end}%`].join(", ")})`;
}

const FROM_OLLAMA = "Load, prefill (prompt) and decode (response) are reported by Ollama.";
const OTHER =
  "“Other” is time that neither Ollama nor the edge accounts for, such as waiting for a slow caller.";

const INFERRED_PHASES: ReadonlySet<Phase> = new Set(["queue", "load", "prefill", "decode"]);
const INFERRED =
  "Queue, load, prefill and decode are inferred, to within 5 %: this API of Ollama does not report them.";
const UNKNOWN =
  "Queue, load, prefill and decode are unknown: Ollama did not report them, and they could not be inferred.";
const SOURCES = { ollama: FROM_OLLAMA, inferred: INFERRED, unknown: UNKNOWN };

/** Explains where the figures come from. */
function sourceOf(entry: LogEntry): string {
  const { edge_ms, tunnel_ms } = entry;
  const phases = SOURCES[phasesFrom(entry)];
  if (edge_ms === null) return `Only the box measured this request. ${phases} ${OTHER}`;
  if (tunnel_ms === null) return `The tunnel time is unknown. ${phases} ${OTHER}`;
  return `Tunnel time is the round trip measured just before this request. ${phases} ${OTHER}`;
}

export function WaterfallTable({ entry }: { entry: LogEntry }) {
  return (
    <div>
      <table class="phases">
        <caption class="sr-only">Time by phase</caption>
        <tbody>
          {segmentsOf(entry).map(({ phase, ms, from, part }) => (
            <tr key={phase}>
              <th scope="row">
                {PHASE_NAMES[phase]}
                {entry.phases_source === "inferred" && INFERRED_PHASES.has(phase) && (
                  <span class="quiet"> (inferred)</span>
                )}
              </th>
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
