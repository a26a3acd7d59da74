/** Sums up the parts of one answer and the times at which they arrived. */
import { ERROR_CHARS_MAX } from "../../protocol/limits.ts";
import { cut } from "../../protocol/records.ts";
import type { AnswerPart } from "./answer-part.ts";
import { beforeDecodeMs, type DurationsNs, phasesOf, roundMs } from "./phases.ts";
import { Transcript } from "./transcript.ts";

/** The figures of a record that come from the answer. In milliseconds; null if unknown. */
export type Measured = {
  /** Thinking, text and tool calls, cut to the record's limit; null if not kept or empty. */
  response: string | null;
  prompt_tokens: number | null;
  /**
   * Ollama's count. A stream that broke off has none; then the number of parts with content that
   * arrived, since Ollama sends nearly every token in a part of its own.
   */
  completion_tokens: number | null;
  /**
   * From the arrival of the request on this box to the first content: text, thinking or a tool
   * call. For an answer in one piece, Ollama's own wait for a slot, load and prefill together.
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

/** How an answer arrived. Its whole text at once has no first content. */
export type AnswerArrival = {
  /** Monotonic ms; null before it. */
  firstContentMs: number | null;
  /** Parts with content; null if not all were read. */
  contentParts: number | null;
  /** The answer ended as its API ends answers, without an error. */
  isComplete: boolean;
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
  readonly #transcript = new Transcript();
  readonly #durations: DurationsNs = { total: null, load: null, prefill: null, decode: null };
  #firstContentMs: number | null = null;
  #lastContentMs: number | null = null;
  #promptTokens: number | null = null;
  #completionTokens: number | null = null;
  #doneReason: string | null = null;
  #error: string | null = null;
  #waitedMs = 0;
  #isComplete = false;
  #isWhole = false;
  /** Parts with content; null if not all were read. */
  #contentParts: number | null = 0;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** The request waited before it was sent to Ollama, which knows nothing of that. */
  waited(ms: number): void {
    this.#waitedMs = ms;
  }

  /** The times and parts of the answer so far. */
  get arrival(): AnswerArrival {
    return {
      firstContentMs: this.#firstContentMs,
      contentParts: this.#contentParts,
      isComplete: this.#isComplete && this.#error === null,
    };
  }

  /** True if the answer may end after the last part. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Adds one part of a streamed answer. */
  add(part: AnswerPart, nowMs: number): void {
    if (part.hasContent === true) {
      this.#firstContentMs ??= nowMs;
      this.#lastContentMs = nowMs;
      if (this.#contentParts !== null) this.#contentParts += 1;
    }
    this.#add(part);
  }

  /** Adds an answer in one piece. The time of its arrival is not that of its first token. */
  addWhole(part: AnswerPart): void {
    this.#isWhole = true;
    this.#add(part);
  }

  /** The rest of the answer is not read, so its parts cannot stand for its tokens. */
  stopCounting(): void {
    this.#contentParts = null;
  }

  #add(part: AnswerPart): void {
    if (this.#options.keepText) this.#transcript.add(part);
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
    const firstMs =
      this.#firstContentMs === null
        ? null
        : roundMs(Math.max(0, this.#firstContentMs - this.#options.startMs));
    const phases = phasesOf(this.#durations, firstMs, this.#waitedMs);
    return {
      response: this.#transcript.text,
      prompt_tokens: this.#promptTokens,
      completion_tokens: this.#completionTokens ?? this.#arrivedTokens,
      ttft_ms: this.#isWhole ? beforeDecodeMs(phases) : firstMs,
      ...phases,
      decode_ms: this.#options.timesDecode ? this.#contentMs() : phases.decode_ms,
      done_reason: this.#doneReason,
      error: this.#error,
    };
  }

  /** Null for a complete answer, where Ollama's silence about its tokens is not a count. */
  get #arrivedTokens(): number | null {
    if (this.#isComplete && this.#error === null) return null;
    return this.#contentParts === 0 ? null : this.#contentParts;
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
