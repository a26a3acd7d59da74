/**
 * The counters of each model on each box, as cumulative metrics. Pure.
 *
 * Histograms have the edges that the conventions recommend and `/api/metrics` publishes. The sketches are
 * not sent as exponential histograms: their unit is the millisecond, the conventions require seconds, and
 * 1,000 is no power of their base, so the buckets would not be exact.
 */
import type { Cell, KeyedCell } from "../../counting/cell.ts";
import type { Histogram } from "../../counting/histogram.ts";
import { NO_MODEL } from "../../counting/model-key.ts";
import type { Attributes } from "./data.ts";
import {
  hasPoints,
  histogramMetric,
  histogramPoint,
  numberMetric,
  numberPoint,
  type OtlpMetric,
} from "./metric.ts";

export type CountersNow = {
  cells: readonly KeyedCell[];
  /** When counting began, unix ms. */
  sinceMs: number;
  atMs: number;
  simulatedBoxes: ReadonlySet<string>;
};

const HISTOGRAMS: [
  name: string,
  description: string,
  perSecond: number,
  pick: (cell: Cell) => Histogram,
][] = [
  [
    "gen_ai.server.request.duration",
    "Time of successful requests until the last byte, from their acceptance at the edge.",
    1_000,
    (cell) => cell.latencyMs,
  ],
  [
    "gen_ai.server.time_to_first_token",
    "Time to the first token, on the box.",
    1,
    (cell) => cell.ttftSeconds,
  ],
  [
    "gen_ai.server.time_per_output_token",
    "Decode time divided by output tokens.",
    1,
    (cell) => cell.secondsPerToken,
  ],
  [
    "ollama_edge.queue.duration",
    "Time of waiting for a slot of the model.",
    1,
    (cell) => cell.queueSeconds,
  ],
  [
    "ollama_edge.load.duration",
    "Time of bringing the model into memory.",
    1,
    (cell) => cell.loadSeconds,
  ],
];

const SUMS: [
  name: string,
  description: string,
  unit: string,
  values: (cell: Cell) => { attributes: Attributes; value: number | null }[],
][] = [
  [
    "ollama_edge.requests",
    "Requests by outcome.",
    "{request}",
    (cell) =>
      Object.entries(cell.requests).map(([status, value]) => ({
        attributes: { "ollama_edge.status": status },
        value,
      })),
  ],
  [
    "ollama_edge.tokens",
    "Tokens of prompts and of answers.",
    "{token}",
    (cell) => [
      { attributes: { "gen_ai.token.type": "input" }, value: cell.promptTokens },
      { attributes: { "gen_ai.token.type": "output" }, value: cell.completionTokens },
    ],
  ],
  [
    "ollama_edge.energy",
    "Energy that the GPUs drew for requests.",
    "J",
    (cell) => [{ attributes: {}, value: cell.energyRequests === 0 ? null : cell.energyJ }],
  ],
];

export function counterMetrics({
  cells,
  sinceMs,
  atMs,
  simulatedBoxes,
}: CountersNow): OtlpMetric[] {
  const attributesOfCell = ({ model, box }: KeyedCell): Attributes => ({
    "gen_ai.provider.name": "ollama",
    "gen_ai.operation.name": OPERATION,
    "gen_ai.request.model": model === NO_MODEL ? null : model,
    "ollama_edge.box": box === "" ? null : box,
    "ollama_edge.simulated": simulatedBoxes.has(box) ? true : null,
  });
  const histograms = HISTOGRAMS.map(([name, description, perSecond, pick]) =>
    histogramMetric(
      { name, description, unit: "s" },
      cells
        .filter(({ cell }) => pick(cell).count > 0)
        .map((each) =>
          histogramPoint(attributesOfCell(each), pick(each.cell), { perSecond, atMs, sinceMs }),
        ),
    ),
  );
  const sums = SUMS.map(([name, description, unit, values]) =>
    numberMetric(
      { name, description, unit },
      "counter",
      cells.flatMap((each) =>
        values(each.cell).flatMap(({ attributes, value }) =>
          value === null
            ? []
            : [numberPoint({ ...attributesOfCell(each), ...attributes }, value, atMs, sinceMs)],
        ),
      ),
    ),
  );
  return [...histograms, ...sums].filter(hasPoints);
}

/**
 * The conventions require an operation. The counters do not separate chats, completions and vectors, and
 * no name of the conventions stands for all of them.
 */
const OPERATION = "inference";
