/**
 * A measured request to the Ollama on this box: written to the spool before it is sent, metered
 * while its answer passes, and closed with exactly one record, however it ends.
 *
 * Does not know where the request came from: both a stream of the tunnel and a call to the local
 * listener are measured requests.
 */
import { NO_PAYLOAD } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { withoutText } from "../../protocol/kept-text.ts";
import { ERROR_CHARS_MAX } from "../../protocol/limits.ts";
import { factsOf, type Headers, type Open, openRequestOf } from "../../protocol/messages.ts";
import {
  cut,
  type FailedAt,
  type RequestRecord,
  type Status,
  UNMEASURED,
} from "../../protocol/records.ts";
import { isInference } from "../../protocol/routes.ts";
import type { EnergyMeter } from "../measure/energy.ts";
import { type LocalBody, localBodyOf } from "../measure/local-body.ts";
import { type Meter, meterOf } from "../measure/meter.ts";
import { roundMs } from "../measure/phases.ts";
import type { RequestProgress } from "../spool/lines.ts";
import type { Spool } from "../spool/spool.ts";
import type { Guard, Refusal } from "./guard.ts";
import type { LocalExchange, OllamaClient } from "./ollama.ts";

export type MeasuredRequestShell = {
  box: string;
  ollama: Pick<OllamaClient, "send">;
  guard: Guard;
  /** Null turns measuring and recording off: every body is passed on unchanged. */
  spool: Spool | null;
  energy: EnergyMeter;
  /** Returns whether the edge forbids to keep text now, even if it was allowed when the request began. */
  forbidsText: () => boolean;
  /** Monotonic milliseconds. */
  now: () => number;
};

/** The arrival of a request on this box. */
export type ArrivalTimes = {
  /** Monotonic ms. */
  atMs: number;
  /**
   * Round trip of the tunnel at that time, ms; null if unknown, or if it did not use the tunnel.
   */
  tunnelMs: number | null;
};

/** Receives Ollama's answer as it arrives. */
export type AnswerHandler = {
  /** The guard refuses the request. Called once, and nothing else is. */
  onRefused(refusal: Refusal): void;
  onHead(status: number, headers: Headers): void;
  /** `chunk` is never empty. */
  onData(chunk: Uint8Array): void;
  onEnd(): void;
  /** Called once, instead of `onEnd`. `hadHead` is true if the answer had begun. */
  onError(message: string, hadHead: boolean): void;
};

/**
 * The status recorded for a caller that left before the answer; nginx's "client closed request".
 */
const CLOSED_REQUEST = 499;

export class MeasuredRequest {
  readonly #id: string;
  readonly #open: Open;
  readonly #arrived: ArrivalTimes;
  readonly #shell: MeasuredRequestShell;
  #prompt: string | null = null;
  #exchange: LocalExchange | null = null;
  #meter: Meter | null = null;
  #httpStatus: number | null = null;
  #isOver = false;
  #isAnswered = false;
  /** When the caller's answer stopped, and its text by then; null while the answer is on its way. */
  #stopped: { atMs: number; response: string | null } | null = null;
  /** Number of times the tunnel was resumed during the request. */
  resumed = 0;

  constructor(id: string, open: Open, arrived: ArrivalTimes, shell: MeasuredRequestShell) {
    this.#id = id;
    this.#open = open;
    this.#arrived = arrived;
    this.#shell = shell;
  }

  get isSent(): boolean {
    return this.#exchange !== null;
  }

  /** True until Ollama begins to answer. */
  get isQueued(): boolean {
    return this.#httpStatus === null;
  }

  /** True once Ollama has finished its answer, however long the caller takes to read it. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** The request as readings list it. */
  get asOpen(): OpenRequest {
    return openRequestOf(this.#id, this.#open, this.isQueued);
  }

  /** The state to note in the spool. An answer in one piece has not begun until it is whole. */
  get progress(): RequestProgress {
    const { ttft_ms = null, completion_tokens = null } = this.#meter?.measured() ?? {};
    const http_status = this.#open.stream ? this.#httpStatus : null;
    return { request_id: this.#id, http_status, ttft_ms, completion_tokens };
  }

  /**
   * Sends the request to Ollama. Called once.
   * @param body  the whole body; null if it follows through `write` and `end`, or without a body
   */
  send(body: Uint8Array | null, handler: AnswerHandler): void {
    const { spool } = this.#shell;
    const { endpoint, stream } = this.#open;
    const whole = body ?? NO_PAYLOAD;
    const local =
      spool === null
        ? { body: whole, prompt: null, hideUsage: false }
        : localBodyOf(endpoint, stream, whole);
    if (spool !== null) this.#begin(spool, local);
    const decision = this.#shell.guard(this.#open, whole);
    const proceed = (refusal: Refusal | null) => {
      if (this.#isOver) return;
      if (refusal === null)
        this.#exchange = this.#sendAdmitted(body === null ? null : local, handler);
      else handler.onRefused(refusal);
    };
    if (decision instanceof Promise)
      decision.then(proceed).catch((error: Error) => handler.onError(error.message, false));
    else proceed(decision);
  }

  #sendAdmitted(local: LocalBody | null, handler: AnswerHandler): LocalExchange {
    const { ollama, now } = this.#shell;
    const { method, path, headers } = this.#open;
    const pass = (chunk: Uint8Array) => chunk.length > 0 && handler.onData(chunk);
    return ollama.send({
      method,
      path,
      headers,
      body: local?.body ?? null,
      onHead: (status, answerHeaders) => {
        this.#httpStatus = status;
        this.#meter?.head(
          status,
          answerHeaders.find(([name]) => name === "content-type")?.[1] ?? null,
          now(),
        );
        // Removing the usage changes the length.
        handler.onHead(
          status,
          local?.hideUsage
            ? answerHeaders.filter(([name]) => name !== "content-length")
            : answerHeaders,
        );
      },
      onData: (chunk) => pass(this.#meter?.data(chunk, now()) ?? chunk),
      onEnd: () => {
        this.#ollamaFinished();
        pass(this.#meter?.end(now()) ?? NO_PAYLOAD);
        handler.onEnd();
      },
      onError: (error, hadHead) =>
        handler.onError(
          hadHead ? error.message : `Ollama does not answer on this box: ${error.message}`,
          hadHead,
        ),
    });
  }

  /** Sends a part of the body. Returns false if the caller should wait for `onDrain`. */
  write(chunk: Uint8Array): boolean {
    return this.#exchange?.write(chunk) ?? true;
  }

  onDrain(resume: () => void): void {
    this.#exchange?.onDrain(resume);
  }

  end(): void {
    this.#exchange?.end();
  }

  pause(): void {
    this.#exchange?.pause();
  }

  resume(): void {
    this.#exchange?.resume();
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

  /** The caller has the whole answer: a success, unless the answer itself reports an error. */
  complete(): void {
    const error = this.#meter?.measured().error ?? null;
    this.#close(
      error === null ? "success" : "error",
      this.#httpStatus ?? 200,
      error === null ? null : "ollama",
      error,
    );
  }

  /**
   * The caller left; stops Ollama.
   * @param httpStatus  the status sent to the caller; null if the answer had not begun
   */
  cancel(httpStatus: number | null): void {
    this.#close("cancelled", httpStatus ?? CLOSED_REQUEST, null, null);
  }

  /**
   * The request failed.
   * @param httpStatus  the status sent to the caller
   */
  fail(failedAt: FailedAt, message: string, httpStatus: number): void {
    this.#close("error", httpStatus, failedAt, message);
  }

  /** Guarantees exactly one record from here on, whatever process is killed. */
  #begin(spool: Spool, { prompt, hideUsage }: LocalBody): void {
    const { endpoint, api, stream, keep_text } = this.#open;
    this.#prompt = keep_text ? prompt : null;
    const { energy, now } = this.#shell;
    if (isInference(endpoint)) energy.begin(this.#id, now());
    spool.begin({
      request_id: this.#id,
      box: this.#shell.box,
      open: this.#open,
      prompt: this.#prompt,
    });
    this.#meter = meterOf({
      endpoint,
      api,
      stream,
      hideUsage,
      keepText: keep_text,
      startMs: this.#arrived.atMs,
    });
  }

  /** Ollama has finished its part, however long the caller takes to read the answer. */
  #ollamaFinished(): void {
    const { energy, now } = this.#shell;
    this.#isAnswered = true;
    energy.end(this.#id, now());
  }

  #close(
    status: Status,
    httpStatus: number,
    failedAt: FailedAt | null,
    errorMessage: string | null,
  ): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange?.abort();
    this.#ollamaFinished();
    // `error` is not a field of the record: the outcome already includes it.
    const endMs = this.#stopped?.atMs ?? this.#shell.now();
    const { error: _, ...measured } = this.#meter?.measured() ?? { ...UNMEASURED, error: null };
    const { spool, forbidsText } = this.#shell;
    const keepsText = this.#open.keep_text && !forbidsText();
    const record: RequestRecord = {
      ...factsOf(this.#id, this.#open),
      ...measured,
      response: this.#stopped === null ? measured.response : this.#stopped.response,
      box: this.#shell.box,
      status,
      http_status: httpStatus,
      failed_at: failedAt,
      error_message: errorMessage === null ? null : cut(errorMessage, ERROR_CHARS_MAX),
      prompt: this.#prompt,
      latency_ms: roundMs((this.#open.edge_ms ?? 0) + endMs - this.#arrived.atMs),
      tunnel_ms: this.#arrived.tunnelMs,
      energy_j: null, // known at the next reading of the GPUs; see delivery.ts
      resumed: this.resumed,
    };
    spool?.finish(keepsText ? record : withoutText(record));
  }
}
