/**
 * Prompts that do not fit into the context of their model. Pure.
 *
 * Ollama leaves out what does not fit, and reports it nowhere: the oldest messages of a chat, or the middle of a
 * text, whose rest then fills the context exactly. So the agent compares lengths, and never reads the text.
 * Texts differ: the fewest tokens that one can have follow from the texts that this model has read before.
 */
import type { ReadBody } from "../../protocol/body-reader.ts";
import { type LoadedModel, withTag } from "../../protocol/inventory.ts";
import type { RequestRecord } from "../../protocol/records.ts";

/** The lengths of a prompt, as it was sent. */
export type SentPrompt = {
  /** With its tag. */
  model: string;
  chars: number | null;
  /** `num_ctx` of the request; null without one. */
  requestedContext: number | null;
};

type Fit = Pick<RequestRecord, "prompt_chars" | "context_length" | "prompt_truncated">;

/** English has 4 to 4.5 characters a token, code 3, other scripts fewer. */
const CHARS_PER_TOKEN_MAX = 6;
/** A text may have this many times more characters a token than all before. */
const MORE = 1.25;
/** A shorter prompt is mostly template. */
const LEARNED_CHARS_MIN = 400;
const LEARNED_MIN = 5;
const LEARNED_MAX = 32;
/** If Ollama read less than this part of a prompt, the rest was left out. */
const READ_PART = 0.8;
/** Models whose texts are remembered. */
const MODELS_MAX = 200;
/** A longer value of `options` is not read. */
const OPTIONS_BYTES_MAX = 4 * 1024;

export function sentPromptOf(model: string, body: Uint8Array, read: ReadBody | null): SentPrompt {
  const chars = read?.scan.ok === true && read.promptChars > 0 ? read.promptChars : null;
  return { model: withTag(model), chars, requestedContext: numCtxIn(body, read) };
}

function numCtxIn(body: Uint8Array, read: ReadBody | null): number | null {
  const slice = read?.scan.ok === true ? read.scan.fields.get("options") : undefined;
  if (slice === undefined || slice.to - slice.from > OPTIONS_BYTES_MAX) return null;
  const options: unknown = JSON.parse(
    new TextDecoder().decode(body.subarray(slice.from, slice.to)),
  );
  if (options === null || typeof options !== "object") return null;
  // Ollama ignores the case of names, and lets the last one win.
  const wanted = Object.entries(options)
    .filter(([name]) => name.toLowerCase() === "num_ctx")
    .at(-1)?.[1];
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : null;
}

export class PromptFit {
  /** The contexts of the models in memory, by the newest poll. */
  #contexts = new Map<string, number>();
  /** Characters a token of the newest prompts that fitted, by model. */
  readonly #learned = new Map<string, number[]>();

  listed(loaded: readonly Pick<LoadedModel, "name" | "context_length">[]): void {
    for (const { name, context_length } of loaded)
      if (context_length !== null) this.#contexts.set(withTag(name), context_length);
    bound(this.#contexts);
  }

  /** Returns whether a prompt is too long for the context, however few tokens it has. */
  isTooLong(sent: SentPrompt): boolean {
    const context = this.#contextOf(sent);
    const tokens = this.#tokensMin(sent);
    return context !== null && tokens !== null && tokens > context;
  }

  /**
   * Returns how a prompt fitted, and learns from it.
   * @param read  the tokens that Ollama read; null if it reported none
   */
  finished(sent: SentPrompt, read: number | null): Fit {
    const context = this.#contextOf(sent);
    const truncated = this.#wasTruncated(sent, context, read);
    if (truncated === false) this.#learn(sent, read);
    return { prompt_chars: sent.chars, context_length: context, prompt_truncated: truncated };
  }

  #wasTruncated(sent: SentPrompt, context: number | null, read: number | null): boolean | null {
    if (context === null || read === null || read === 0) return null;
    if (read >= context) return true;
    const tokens = this.#tokensMin(sent);
    if (tokens !== null && tokens > context && read < READ_PART * tokens) return true;
    const usual = this.#tokensUsual(sent);
    // A text of the usual kind does not fit, and no text has so few tokens as were read.
    return usual !== null && usual > context && read * CHARS_PER_TOKEN_MAX < (sent.chars ?? 0);
  }

  #learn({ model, chars }: SentPrompt, read: number | null): void {
    if (chars === null || read === null || chars < LEARNED_CHARS_MIN) return;
    const learned = this.#learned.get(model) ?? [];
    this.#learned.delete(model);
    this.#learned.set(model, [...learned.slice(1 - LEARNED_MAX), chars / read]);
    bound(this.#learned);
  }

  /** A model has no more context than it was trained with, whatever is requested. */
  #contextOf({ model, requestedContext }: SentPrompt): number | null {
    const loaded = this.#contexts.get(model) ?? null;
    return requestedContext ?? loaded;
  }

  #tokensMin({ model, chars }: SentPrompt): number | null {
    if (chars === null) return null;
    const most = this.#learnedMost(model);
    return chars / Math.min(CHARS_PER_TOKEN_MAX, MORE * (most ?? CHARS_PER_TOKEN_MAX));
  }

  /** Returns the fewest tokens of a text like those before; null if too few were read. */
  #tokensUsual({ model, chars }: SentPrompt): number | null {
    const most = this.#learnedMost(model);
    return chars === null || most === null ? null : chars / most;
  }

  /** Returns the most characters a token that a text had; null if too few were read. */
  #learnedMost(model: string): number | null {
    const learned = this.#learned.get(model) ?? [];
    return learned.length < LEARNED_MIN ? null : Math.max(...learned);
  }
}

function bound(models: Map<string, unknown>): void {
  const [oldest] = models.keys();
  if (models.size > MODELS_MAX && oldest !== undefined) models.delete(oldest);
}
