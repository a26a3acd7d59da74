/**
 * The result of a bench as text: at most 80 columns, as a table of medians with their ranges. Pure.
 */
import type { BenchPoint, BenchResult, Spread } from "../../protocol/bench.ts";

const UNKNOWN = "–";
const FIRST_COLUMNS = 7;
const COLUMNS = 18;
/** The widest line. */
const LINE_CHARS_MAX = 80;

const FIGURES: readonly (readonly [title: string, of: (point: BenchPoint) => Spread])[] = [
  ["tokens/s", ({ tokens_per_second }) => tokens_per_second],
  ["TTFT, ms", ({ ttft_ms }) => ttft_ms],
  ["prefill tokens/s", ({ prefill_tokens_per_second }) => prefill_tokens_per_second],
  ["Wh per 1k tokens", ({ wh_per_1k_tokens }) => wh_per_1k_tokens],
];

/** @param box  the name of the box */
export function reportOf(result: BenchResult, box: string): string {
  const { points, model, output_tokens, skipped, discarded, load_ms, context_length } = result;
  const table = [
    ["prompt", ...FIGURES.map(([title]) => title)],
    ...points.map((point) => [
      String(point.context),
      ...FIGURES.map(([, of]) => shownSpread(of(point))),
    ]),
  ].map(([first = "", ...rest]) =>
    [first.padStart(FIRST_COLUMNS), ...rest.map((cell) => cell.padStart(COLUMNS))].join(""),
  );
  const repeats = points[0]?.repeats ?? 0;
  const about = [
    `${model} on ${box}`,
    listed([
      result.parameter_size,
      result.quantization,
      result.gpu_share === null ? null : `${Math.round(100 * result.gpu_share)} % in GPU memory`,
    ]),
    ...result.gpus,
    listed([
      result.driver_version === null ? null : `driver ${result.driver_version}`,
      `Ollama ${result.ollama_version ?? "(unknown version)"}`,
      `agent ${result.agent_version}`,
    ]),
    listed([
      context_length === null ? null : `context ${context_length}`,
      load_ms === null ? "in memory before" : `loaded in ${shown(load_ms / 1_000)} s`,
      `${repeats} ${repeats === 1 ? "answer" : "answers"} of ${output_tokens} tokens each`,
    ]),
  ];
  const notes = [
    ...(skipped.length === 0 ? [] : [`Too long for the context: ${skipped.join(", ")}.`]),
    ...(discarded === 0 ? [] : [`Stopped for other callers and repeated: ${discarded}.`]),
    ...(points.some(({ wh_per_1k_tokens }) => wh_per_1k_tokens === null)
      ? ["Wh is unknown where the power cannot be read, or not often enough."]
      : []),
  ];
  return [...about, "", ...table, "", "Medians, with the range of the repeats.", ...notes]
    .map((line) => (line.length > LINE_CHARS_MAX ? `${line.slice(0, LINE_CHARS_MAX - 1)}…` : line))
    .join("\n");
}

const listed = (parts: readonly (string | null)[]): string =>
  parts.filter((part) => part !== null).join(", ");

function shownSpread(spread: Spread): string {
  if (spread === null) return UNKNOWN;
  const { median, min, max } = spread;
  return min === max ? shown(median) : `${shown(median)} (${shown(min)}-${shown(max)})`;
}

const THOUSANDS_FROM = 10_000;

/** Three significant digits, or whole numbers, so that a cell of three fits its column. */
function shown(value: number): string {
  if (value >= THOUSANDS_FROM) return `${(value / 1_000).toFixed(0)}k`;
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
