/** The figures of a bench, from what Ollama reported of each repeat. Pure. */
import type { BenchPoint, Spread } from "../../protocol/bench.ts";
import type { RequestEnergy } from "../measure/energy.ts";
import type { Measured } from "../measure/meter.ts";

/** One measured request. */
export type Repeat = {
  measured: Pick<
    Measured,
    "prompt_tokens" | "completion_tokens" | "ttft_ms" | "prefill_ms" | "decode_ms"
  >;
  energy: RequestEnergy | null;
};

const MS_PER_SECOND = 1_000;
const JOULES_PER_WH = 3_600;
const TOKENS = 1_000;

/** Figures are shown with three digits; this keeps rounding out of comparisons. */
const DIGITS = 6;
const rounded = (value: number): number => Number(value.toPrecision(DIGITS));

/** Returns median, least and greatest of the known values; null without any. */
export function spreadOf(values: readonly (number | null)[]): Spread {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const [min, max] = [sorted.at(0), sorted.at(-1)];
  if (min === undefined || max === undefined) return null;
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  const high = sorted[Math.ceil((sorted.length - 1) / 2)] ?? max;
  return { median: rounded((low + high) / 2), min: rounded(min), max: rounded(max) };
}

/** A rate is unknown without a count or a time. */
const perSecond = (tokens: number | null, ms: number | null): number | null =>
  tokens === null || ms === null || tokens === 0 || ms === 0 ? null : (MS_PER_SECOND * tokens) / ms;

function whPerThousand({ measured: { completion_tokens }, energy }: Repeat): number | null {
  if (energy === null || completion_tokens === null || completion_tokens === 0) return null;
  return (TOKENS * energy.joules) / JOULES_PER_WH / completion_tokens;
}

/** @param context  the wanted length of the prompts */
export function pointOf(context: number, repeats: readonly Repeat[]): BenchPoint {
  const all = repeats.map(({ measured }) => measured);
  const methods = new Set(repeats.flatMap(({ energy }) => energy?.method ?? []));
  return {
    context,
    prompt_tokens: spreadOf(all.map(({ prompt_tokens }) => prompt_tokens)),
    completion_tokens: spreadOf(all.map(({ completion_tokens }) => completion_tokens)),
    repeats: repeats.length,
    tokens_per_second: spreadOf(
      all.map(({ completion_tokens, decode_ms }) => perSecond(completion_tokens, decode_ms)),
    ),
    ttft_ms: spreadOf(all.map(({ ttft_ms }) => ttft_ms)),
    prefill_tokens_per_second: spreadOf(
      all.map(({ prompt_tokens, prefill_ms }) => perSecond(prompt_tokens, prefill_ms)),
    ),
    wh_per_1k_tokens: spreadOf(repeats.map(whPerThousand)),
    // The coarser method is what the median can be trusted to.
    energy_method: methods.has("mean") ? "mean" : methods.has("instant") ? "instant" : null,
  };
}
