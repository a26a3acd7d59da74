/**
 * Adds up what the parts of one answer say, and when they said it.
 */
import { ERROR_CHARS_MAX, RESPONSE_CHARS_MAX } from "../../protocol/limits.ts";
import { cut } from "../../protocol/records.ts";
import type { AnswerPart } from "./answer-part.ts";
import { BoundedText } from "./bounded-text.ts";
import { type DurationsNs, phasesOf, roundMs } from "./phases.ts";

/** What a record says of an answer. Milliseconds; null where unknown. */
export type Measured = {
  /** Cut to the record's limit; null when it is not kept or there was none. */
  response: string | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  /** From the arrival of the request on this box to the first content: text, thinking, a tool call or an embedding. */
  ttft_ms: number | null;
  queue_ms: number | null;
  load_ms: number | null;
  prefill_ms: number | null;
  decode_ms: number | null;
  done_reason: string | null;
  /** Why the answer is not a good one, whatever its status; null when it is. */
  error: string | null;
};

export type TallyOptions = {
  /** Monotonic ms at which the request arrived on this box. */
  startMs: number;
  keepText: boolean;
  /** The answer carries no durations (`/v1`): take decode as the time from the first content to the last. */
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

  /** The last part said that the answer may end. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  add(said: AnswerPart, nowMs: number): void {
    if (said.hasContent === true) {
      this.#firstContentMs ??= nowMs;
      this.#lastContentMs = nowMs;
      if (said.text !== undefined && this.#options.keepText) this.#text.add(said.text);
    }
    this.#promptTokens = said.promptTokens ?? this.#promptTokens;
    this.#completionTokens = said.completionTokens ?? this.#completionTokens;
    this.#doneReason = said.doneReason ?? this.#doneReason;
    this.#durations.total = said.totalNs ?? this.#durations.total;
    this.#durations.load = said.loadNs ?? this.#durations.load;
    this.#durations.prefill = said.prefillNs ?? this.#durations.prefill;
    this.#durations.decode = said.decodeNs ?? this.#durations.decode;
    this.#isComplete = said.isLast ?? this.#isComplete;
    if (said.error !== undefined) this.fail(said.error);
  }

  /** The first reason holds: later ones follow from it. */
  fail(error: string): void {
    this.#error ??= cut(error, ERROR_CHARS_MAX);
  }

  measured(): Measured {
    const ttftMs =
      this.#firstContentMs === null
        ? null
        : roundMs(Math.max(0, this.#firstContentMs - this.#options.startMs));
    const times = phasesOf(this.#durations, ttftMs);
    return {
      response: this.#text.text,
      prompt_tokens: this.#promptTokens,
      completion_tokens: this.#completionTokens,
      ttft_ms: ttftMs,
      ...times,
      decode_ms: this.#options.timesDecode ? this.#contentMs() : times.decode_ms,
      done_reason: this.#doneReason,
      error: this.#error,
    };
  }

  /** From the first content to the last. One moment is no time: null, or the decode rate would be infinite. */
  #contentMs(): number | null {
    if (this.#firstContentMs === null || this.#lastContentMs === null) return null;
    const ms = roundMs(this.#lastContentMs - this.#firstContentMs);
    return ms > 0 ? ms : null;
  }
}
