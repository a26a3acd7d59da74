/** The cell of each column of the request list. */
import type { ComponentChildren } from "preact";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { modelClass } from "../../data/model-colour.ts";
import { Moment } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { count, duration, energy, money, UNKNOWN } from "../../shape/format.ts";
import type { ColumnName } from "../../shape/request-columns.ts";
import { rateText, statusText } from "../../shape/request-figures.ts";
import { Waterfall } from "./waterfall.tsx";

/** @property axisMs  length of the common time axis */
type Shown = { entry: LogEntry; axisMs: number };

export const CELLS: Record<ColumnName, (shown: Shown) => ComponentChildren> = {
  time: ({ entry }) => <Moment iso={entry.timestamp} />,
  model: ({ entry }) => (
    <>
      <i
        class={`status ${entry.status} ${modelClass(entry.model)}`}
        role="img"
        aria-label={statusText(entry)}
      />{" "}
      {entry.model ?? <span class="quiet mono">{entry.endpoint}</span>}
      {entry.status === "error" && <span class="bad-text status-text"> {entry.http_status}</span>}
    </>
  ),
  box: ({ entry }) => <BoxCell box={entry.box} simulated={entry.simulated} isBrief />,
  key: ({ entry }) => entry.key_name ?? entry.key_id ?? UNKNOWN,
  kind: ({ entry }) => <span class="mono">{entry.endpoint}</span>,
  ttft: ({ entry }) => duration(entry.ttft_ms),
  timeline: ({ entry, axisMs }) => <Waterfall entry={entry} axisMs={axisMs} />,
  latency: ({ entry }) => duration(entry.latency_ms),
  input: ({ entry }) => count(entry.prompt_tokens),
  tokens: ({ entry }) => count(entry.completion_tokens),
  rate: ({ entry }) => rateText(entry),
  energy: ({ entry }) => energy(entry.energy_j),
  cost: ({ entry }) =>
    entry.cost === null || entry.cost_currency === null
      ? UNKNOWN
      : money(entry.cost, entry.cost_currency),
  prompt: ({ entry }) =>
    entry.error_message ?? entry.prompt ?? <span class="quiet">not stored</span>,
};
