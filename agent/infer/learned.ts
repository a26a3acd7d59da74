/**
 * The pace of one model on this box, learned from calls whose durations Ollama reports and from
 * streamed answers. Pure.
 *
 * The pace depends on the length of the context, on other requests and on the clocks of the GPU. So
 * only calls that ran alone count, only recent ones, and the answer is a range.
 */
import type { Bounds } from "./bounds.ts";

/** The time of a call to a loaded model, in ms, that neither prompt nor answer explain. */
export type Overhead = { load: Bounds; queue: Bounds };

/** Recent samples that are kept of each figure. */
const SAMPLES_MAX = 16;
/** A spread needs this many samples. */
const SAMPLES_MIN = 3;
/**
 * Fewer calls than that show the overhead within this factor, which is enough beside a long prompt.
 */
const FEW = 2;
/** The time in Ollama between a loaded model and its prompt: it renders and counts the prompt. */
const RENDERING_MS_MAX = 20;
/** With this many samples, the highest and the lowest are taken for outliers. */
const TRIMMED_FROM = 8;
/** Contexts whose lengths differ by less than this factor have the same pace. */
const ALIKE = 1.5;

export class LearnedPace {
  readonly #loads: number[] = [];
  readonly #queues: number[] = [];
  readonly #firsts: number[] = [];
  readonly #decodes: { context: number; msPerToken: number }[] = [];
  readonly #coldPrefills: number[] = [];

  /** A native call found the model loaded and a slot free. */
  addOverhead(loadMs: number, queueMs: number): void {
    keep(this.#loads, loadMs);
    keep(this.#queues, queueMs);
  }

  /** A call of any API found the model loaded and a slot free, and had content after this time. */
  addFirstContent(ms: number): void {
    keep(this.#firsts, ms);
  }

  addDecode(context: number, msPerToken: number): void {
    keep(this.#decodes, { context, msPerToken });
  }

  /** A prompt was evaluated by a model that had just been loaded, so none of it was cached. */
  addColdPrefill(msPerToken: number): void {
    keep(this.#coldPrefills, msPerToken);
  }

  /** Returns the overhead of a call; null if nothing bounds it. */
  overhead(): Overhead | null {
    const [load, queue] = [roughly(this.#loads), roughly(this.#queues)];
    if (load !== null && queue !== null) return { load, queue };
    // The shortest time to a first content bounds it from above.
    if (this.#firsts.length === 0) return null;
    const shortest = Math.min(...this.#firsts);
    return {
      load: { lo: 0, hi: shortest },
      queue: { lo: 0, hi: Math.min(RENDERING_MS_MAX, shortest) },
    };
  }

  /** Returns the time of one token; null if no answer with a similar context was seen. */
  decode(context: number): Bounds | null {
    return spreadOf(
      this.#decodes
        .filter((seen) => seen.context < ALIKE * context && context < ALIKE * seen.context)
        .map(({ msPerToken }) => msPerToken),
    );
  }

  coldPrefill(): Bounds | null {
    return spreadOf(this.#coldPrefills);
  }
}

/** As {@link spreadOf}, but a single sample is enough. */
function roughly(samples: readonly number[]): Bounds | null {
  if (samples.length === 0) return null;
  const [lo, hi] = [Math.min(...samples) / FEW, Math.max(...samples) * FEW];
  return spreadOf(samples) ?? { lo, hi };
}

function keep<Sample>(samples: Sample[], sample: Sample): void {
  samples.push(sample);
  if (samples.length > SAMPLES_MAX) samples.shift();
}

function spreadOf(samples: readonly number[]): Bounds | null {
  if (samples.length < SAMPLES_MIN) return null;
  const sorted = samples.toSorted((a, b) => a - b);
  const trimmed = sorted.length < TRIMMED_FROM ? sorted : sorted.slice(1, -1);
  return { lo: trimmed[0] ?? 0, hi: trimmed.at(-1) ?? 0 };
}
