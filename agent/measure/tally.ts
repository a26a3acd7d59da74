/** Sums up the parts of one answer and the times at which they arrived. */
import { ERROR_CHARS_MAX, RESPONSE_CHARS_MAX } from "../../protocol/limits.ts";
import { cut } from "../../protocol/records.ts";
import type { AnswerPart } from "./answer-part.ts";
import { BoundedText } from "./bounded-text.ts";
import { type DurationsNs, phasesOf, roundMs } from "./phases.ts";

/** The figures of a record that come from the answer. In milliseconds; null if unknown. */
export type Measured = {
  /** Cut to the record's limit; null if it is not kept or empty. */
  response: string | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  /**
   * From the arrival of the request on this box to the first content: text, thinking, a tool call
   * or an embedding.
   */
  ttft_ms: number | null;
  queue_ms: number | null;
  load_ms: number | null;
  prefill_ms: number | null;
  decode_ms: number | null;
  done_reason: string | null;
  /** Why the answer failed, whatever its HTTP status; null if it succeeded. */
  error: string | null;
};

export type TallyOptions = {
  /** Monotonic ms at which the request arrived on this box. */
  startMs: number;
  keepText: boolean;
  /** For answers without durations (`/v1`): measures decode from the first content to the last. */
  timesDecode: boolean;
};

export class Tally {
  readonly #options: TallyOptions;
  readonly #text = new BoundedText(RESPONSE_CHARS_MAX);
  readonly #durations: DurationsNs = { total: null, load: null, prefill: null, decode: null };
  #firstContentMs: number | null = null;
  #lastContentMs: number | null = null;
  #promptTokens: number | null = null;
  #completionTokens: number | null = null;
  #doneReason: string | null = null;
  #error: string | null = null;
  #isComplete = false;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** True if the answer may end after the last part. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  add(part: AnswerPart, nowMs: number): void {
    if (part.hasContent === true) {
      this.#firstContentMs ??= nowMs;
      this.#lastContentMs = nowMs;
      if (part.text !== undefined && this.#options.keepText) this.#text.add(part.text);
    }
    this.#promptTokens = part.promptTokens ?? this.#promptTokens;
    this.#completionTokens = part.completionTokens ?? this.#completionTokens;
    this.#doneReason = part.doneReason ?? this.#doneReason;
    this.#durations.total = part.totalNs ?? this.#durations.total;
    this.#durations.load = part.loadNs ?? this.#durations.load;
    this.#durations.prefill = part.prefillNs ?? this.#durations.prefill;
    this.#durations.decode = part.decodeNs ?? this.#durations.decode;
    this.#isComplete = part.isLast ?? this.#isComplete;
    if (part.error !== undefined) this.fail(part.error);
  }

  /** Keeps the first error only: later ones follow from it. */
  fail(error: string): void {
    this.#error ??= cut(error, ERROR_CHARS_MAX);
  }

  measured(): Measured {
    const ttftMs =
      this.#firstContentMs === null
        ? null
        : roundMs(Math.max(0, this.#firstContentMs - this.#options.startMs));
    const phases = phasesOf(this.#durations, ttftMs);
    return {
      response: this.#text.text,
      prompt_tokens: this.#promptTokens,
      completion_tokens: this.#completionTokens,
      ttft_ms: ttftMs,
      ...phases,
      decode_ms: this.#options.timesDecode ? this.#contentMs() : phases.decode_ms,
      done_reason: this.#doneReason,
      error: this.#error,
    };
  }

  /**
   * From the first content to the last. Null instead of 0, which would make the decode rate
   * infinite.
   */
  #contentMs(): number | null {
    if (this.#firstContentMs === null || this.#lastContentMs === null) return null;
    const ms = roundMs(this.#lastContentMs - this.#firstContentMs);
    return ms > 0 ? ms : null;
  }
}
