/**
 * The measurement of one request: opened in the spool before it is sent, metered while the answer
 * passes, and closed with exactly one record, however the request ends.
 */
import type { ReadBody } from "../../protocol/body-reader.ts";
import { withoutText } from "../../protocol/kept-text.ts";
import { ERROR_CHARS_MAX } from "../../protocol/limits.ts";
import { factsOf, type Open } from "../../protocol/messages.ts";
import { NO_PROMPT_FIT } from "../../protocol/prompt-fit.ts";
import { cut, type ReportedRecord, UNMEASURED } from "../../protocol/records.ts";
import { UNROUTED } from "../../protocol/route.ts";
import { isInference, makesVectors } from "../../protocol/routes.ts";
import type { InferredPhases } from "../infer/infer-phases.ts";
import type { FinishedAnswer } from "../infer/phase-inference.ts";
import { type SentPrompt, sentPromptOf } from "../infer/prompt-fit.ts";
import type { EnergyMeter } from "../measure/energy.ts";
import { type LocalBody, localBodyOf } from "../measure/local-body.ts";
import { type Measured, type Meter, meterOf } from "../measure/meter.ts";
import { type AnswerPace, answerPaceOf, NO_ANSWER_PACE } from "../measure/pace.ts";
import { type PhasesMs, roundMs } from "../measure/phases.ts";
import type { NotedRequest } from "../spool/lines.ts";
import type { Spool } from "../spool/spool.ts";
import type { ArrivalTimes, RequestEnding } from "./measured-times.ts";
import { unloadsAfter } from "./memory-news.ts";
import { type OllamaTurns, shownBy } from "./turn.ts";

export type MeasurementShell = OllamaTurns & {
  box: string;
  spool: Spool;
  energy: EnergyMeter;
  /**
   * Returns whether the edge forbids to keep text now, even if it was allowed when the request
   * began.
   */
  forbidsText: () => boolean;
  /** Monotonic milliseconds. */
  now: () => number;
};

export class Measurement {
  readonly #id: string;
  #open: Open;
  readonly #arrived: ArrivalTimes;
  readonly #shell: MeasurementShell;
  #prompt: string | null = null;
  #hasContent = false;
  #sentPrompt: SentPrompt | null = null;
  /** Ollama unloads the model afterwards. */
  #unloads = false;
  #wasPaused = false;
  /** Time for which the request was held back, ms. */
  #waitedMs = 0;
  /** When Ollama had sent the whole answer, monotonic ms; null before. */
  #endMs: number | null = null;
  #meter: Meter | null = null;
  /**
   * When the caller's answer stopped, and its text by then; null while the answer is on its way.
   */
  #stopped: { atMs: number; response: string | null } | null = null;

  constructor(id: string, open: Open, arrived: ArrivalTimes, shell: MeasurementShell) {
    this.#id = id;
    this.#open = open;
    this.#arrived = arrived;
    this.#shell = shell;
  }

  /**
   * Guarantees exactly one record from here on, whatever process is killed.
   * @param body  the whole body of the caller; empty if it follows in parts
   * @param read  the result of its scan; null for an empty body
   * @returns the body to send to Ollama, so that its answer can be measured
   */
  begin(body: Uint8Array, read: ReadBody | null): LocalBody {
    const { box, spool, forbidsText } = this.#shell;
    // The part of the edge that sent the request may not know yet that text was switched off.
    if (forbidsText()) this.#open = { ...this.#open, keep_text: false };
    const { endpoint, api, stream, keep_text } = this.#open;
    const local = localBodyOf(endpoint, stream, body, read);
    this.#prompt = keep_text ? local.prompt : null;
    this.#unloads = unloadsAfter(body, read);
    const { model } = this.#open;
    if (model !== null && isInference(endpoint) && !makesVectors(endpoint))
      this.#sentPrompt = sentPromptOf(model, body, read);
    spool.begin({
      request_id: this.#id,
      box,
      open: this.#open,
      prompt: this.#prompt,
      source: this.#arrived.source,
    });
    this.#meter = meterOf({
      endpoint,
      api,
      stream,
      hideUsage: local.hideUsage,
      keepText: keep_text,
      startMs: this.#arrived.atMs,
    });
    return local;
  }

  /**
   * Ollama gets the request.
   * @param waitedMs  the time that it waited before
   */
  sent(waitedMs: number): void {
    const { endpoint, model } = this.#open;
    const { energy, phases, now } = this.#shell;
    this.#waitedMs = waitedMs;
    this.#meter?.waited(waitedMs);
    if (!isInference(endpoint)) return;
    energy.begin(this.#id, now(), model);
    if (model !== null) phases.begin(this.#id, model, now());
  }

  head(status: number, contentType: string | null): void {
    const { endpoint, model } = this.#open;
    if (status === 200 && isInference(endpoint) && model !== null && !this.#unloads)
      this.#shell.memory.answers(model);
    this.#meter?.head(status, contentType, this.#shell.now());
  }

  /** The prompt probably does not fit into the context of the model. */
  get isTooLong(): boolean {
    return this.#sentPrompt !== null && this.#shell.fit.isTooLong(this.#sentPrompt);
  }

  /** Measures a part of the answer. Returns the part of it that is for the caller. */
  data(chunk: Uint8Array): Uint8Array {
    const shown = this.#meter?.data(chunk, this.#shell.now()) ?? chunk;
    if (!this.#hasContent && this.#meter?.arrival().firstContentMs != null) {
      this.#hasContent = true;
      this.#shell.phases.content(this.#id, this.#shell.now());
      this.#shell.queue.begins(this.#id, this.#shell.now());
    }
    return shown;
  }

  /** Ollama waits for the caller, so the times of arrival show the pace of the caller. */
  pause(): void {
    this.#wasPaused = true;
  }

  /** Ollama has finished its part. Returns the rest of the answer for the caller. */
  end(): Uint8Array | null {
    const nowMs = this.#shell.now();
    this.#shell.energy.end(this.#id, nowMs);
    this.#shell.phases.end(this.#id, nowMs);
    this.#endMs = nowMs;
    const rest = this.#meter?.end(nowMs) ?? null;
    const measured = this.#meter?.measured();
    const shown = measured === undefined ? null : shownBy(measured, this.#waitedMs);
    this.#shell.queue.leave(this.#id, nowMs, shown);
    const { model } = this.#open;
    if (this.#unloads && model !== null) this.#shell.memory.unloads(model);
    return rest;
  }

  /** The measured part of the state to note in the spool. */
  get progress(): Pick<NotedRequest, "ttft_ms" | "completion_tokens" | "response"> {
    const {
      ttft_ms = null,
      completion_tokens = null,
      response = null,
    } = this.#meter?.measured() ?? {};
    return { ttft_ms, completion_tokens, response: this.#shell.forbidsText() ? null : response };
  }

  /** The pace of the answer so far; unknown for one in one piece, and without tokens. */
  get pace(): AnswerPace {
    const { stream, endpoint } = this.#open;
    if (this.#meter === null || !stream || !isInference(endpoint)) return NO_ANSWER_PACE;
    return answerPaceOf(this.#meter.arrival(), this.#shell.now());
  }

  /** The error that the answer itself reports; null without one. */
  get error(): string | null {
    return this.#meter?.measured().error ?? null;
  }

  /**
   * The way to the caller is lost. If nobody resumes it, the record ends here; only the tokens that
   * Ollama still makes count.
   */
  loseCaller(): void {
    this.#stopped ??= {
      atMs: this.#shell.now(),
      response: this.#meter?.measured().response ?? null,
    };
  }

  /** The caller's answer goes on. */
  regainCaller(): void {
    this.#stopped = null;
  }

  /** Writes the record. Called once. */
  close({ status, httpStatus, failedAt, message, resumed }: RequestEnding): void {
    const { box, spool, energy, phases, queue, forbidsText, now } = this.#shell;
    energy.end(this.#id, now());
    phases.leave(this.#id, now());
    queue.leave(this.#id, now());
    // `error` is not a field of the record: the ending already includes it.
    const figures = this.#meter?.measured() ?? { ...UNMEASURED, error: null };
    const { error: _, ...measured } = figures;
    const endMs = this.#stopped?.atMs ?? now();
    const record: ReportedRecord = {
      ...factsOf(this.#id, this.#open),
      ...measured,
      ...this.#phases(figures),
      ...this.#fit(figures),
      response: this.#stopped === null ? measured.response : this.#stopped.response,
      box,
      status,
      http_status: httpStatus,
      failed_at: failedAt,
      error_message: message === null ? null : cut(message, ERROR_CHARS_MAX),
      prompt: this.#prompt,
      latency_ms: roundMs((this.#open.edge_ms ?? 0) + endMs - this.#arrived.atMs),
      tunnel_ms: this.#arrived.tunnelMs,
      energy_j: null, // known at the next reading of the GPUs; see delivery.ts
      energy_method: null,
      resumed,
      source: this.#arrived.source,
      seal: this.#open.seal,
      // The edge knows the tariff, from the hello whether the box is simulated, the key and the route.
      cost: null,
      cost_currency: null,
      co2_g: null,
      simulated: null,
      key_name: null,
      ...UNROUTED,
    };
    const keepsText = this.#open.keep_text && !forbidsText();
    spool.finish(keepsText ? record : withoutText(record));
  }

  #fit({ prompt_tokens }: Pick<Measured, "prompt_tokens">) {
    return this.#sentPrompt === null
      ? NO_PROMPT_FIT
      : this.#shell.fit.finished(this.#sentPrompt, prompt_tokens);
  }

  /** Returns the phases that Ollama reported, or those that can be inferred. */
  #phases(measured: Measured): InferredPhases & Pick<ReportedRecord, "phases_source"> {
    const { ttft_ms, queue_ms, load_ms, prefill_ms, decode_ms } = measured;
    const seen = { queue_ms, load_ms, prefill_ms, decode_ms };
    const reports = this.#open.api === "ollama";
    const inferred = this.#shell.phases.finish(
      this.#id,
      this.#finishedAnswer(measured, reports ? seen : null),
    );
    const phases =
      inferred === null
        ? { ttft_ms, ...seen }
        : {
            ...inferred,
            ttft_ms: ttft_ms ?? this.#afterWait(inferred.ttft_ms),
            queue_ms: this.#afterWait(inferred.queue_ms),
          };
    const isKnown = PHASES.some((phase) => phases[phase] !== null);
    return { ...phases, phases_source: isKnown ? (reports ? "ollama" : "inferred") : null };
  }

  /** The inference begins when the request is sent, the record when it arrived. */
  #afterWait(ms: number | null): number | null {
    return ms === null ? null : roundMs(this.#waitedMs + ms);
  }

  /** Null for an answer that did not end as it should: its times show nothing. */
  #finishedAnswer(
    { prompt_tokens, completion_tokens }: Pick<Measured, "prompt_tokens" | "completion_tokens">,
    phases: PhasesMs | null,
  ): FinishedAnswer | null {
    const arrival = this.#meter?.arrival();
    if (arrival === undefined || !arrival.isComplete || this.#endMs === null) return null;
    return {
      firstContentMs: arrival.firstContentMs,
      endMs: this.#endMs,
      contentParts: arrival.contentParts,
      promptTokens: prompt_tokens,
      completionTokens: makesVectors(this.#open.endpoint) ? 0 : completion_tokens,
      wasPrompt: !this.#wasPaused,
      phases,
    };
  }
}

const PHASES = ["queue_ms", "load_ms", "prefill_ms", "decode_ms"] as const;
