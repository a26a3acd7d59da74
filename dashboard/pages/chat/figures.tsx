/** The phases of an answer, its energy and its cost. */
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { duration, energy, money } from "../../shape/format.ts";
import { segmentsOf } from "../../shape/waterfall.ts";
import { PHASE_NAMES, Waterfall } from "../requests/waterfall.tsx";

export function AnswerFigures({ record, axisMs }: { record: LogEntry; axisMs: number }) {
  const { latency_ms, ttft_ms, energy_j, cost, cost_currency } = record;
  return (
    <div class="answer-figures">
      <Waterfall entry={record} axisMs={axisMs} />
      <ul aria-label="Phases">
        {segmentsOf(record).map(({ phase, ms }) => (
          <li key={phase}>
            <i class={phase} /> {PHASE_NAMES[phase]} {duration(ms)}
          </li>
        ))}
      </ul>
      <p>
        <b>{duration(latency_ms)}</b> in all, first token after {duration(ttft_ms)}, energy{" "}
        {energy_j === null ? "unknown" : energy(energy_j)}, cost{" "}
        {cost === null || cost_currency === null ? "unknown" : money(cost, cost_currency)}
      </p>
    </div>
  );
}
