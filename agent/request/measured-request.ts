/**
 * A measured request to the Ollama on this box: written to the spool before it is sent, metered
 * while its answer passes, and closed with exactly one record, however it ends.
 *
 * Does not know where the request came from: both a stream of the tunnel and a call to the local
 * listener are measured requests. `measurement.ts` is the part that measures and records.
 */
import { LIKELY, TRUNCATED_HEADER } from "../../protocol/answer-headers.ts";
import { type ReadBody, readBodyOf } from "../../protocol/body-reader.ts";
import { CLOSED_REQUEST } from "../../protocol/failures.ts";
import { NO_PAYLOAD } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { type Headers, type Open, openRequestOf, type QueueWait } from "../../protocol/messages.ts";
import type { FailedAt, Status } from "../../protocol/records.ts";
import { type LocalBody, unmeasuredBody } from "../measure/local-body.ts";
import { roundMs } from "../measure/phases.ts";
import type { NotedRequest } from "../spool/lines.ts";
import type { Spool } from "../spool/spool.ts";
import type { Guard, Refusal } from "./guard.ts";
import type { ArrivalTimes } from "./measured-times.ts";
import { Measurement, type MeasurementShell } from "./measurement.ts";
import type { LocalExchange, OllamaClient } from "./ollama.ts";
import { waitsForOllama } from "./patience.ts";
import { awaitTurn } from "./turn.ts";

export type MeasuredRequestShell = Omit<MeasurementShell, "spool"> & {
  ollama: Pick<OllamaClient, "send">;
  guard: Guard;
  /** Null turns measuring and recording off: every body is passed on unchanged. */
  spool: Spool | null;
};

/** Receives Ollama's answer as it arrives. */
export type AnswerHandler = {
  /** The guard refuses the request. Called once, and nothing else is. */
  onRefused(refusal: Refusal): void;
  onHead(status: number, headers: Headers): void;
  /** `chunk` is never empty. */
  onData(chunk: Uint8Array): void;
  onEnd(): void;
  /**
   * Called once, instead of `onEnd`. `hadHead` is true if the answer had begun. `hangs` is true if Ollama
   * does not answer anybody.
   */
  onError(message: string, hadHead: boolean, hangs?: boolean): void;
};

const NOT_MEASURED = { ttft_ms: null, completion_tokens: null, response: null };

export class MeasuredRequest {
  readonly #id: string;
  readonly #open: Open;
  readonly #shell: MeasuredRequestShell;
  readonly #source: ArrivalTimes["source"];
  readonly #measurement: Measurement | null;
  #exchange: LocalExchange | null = null;
  #httpStatus: number | null = null;
  #isOver = false;
  #isAnswered = false;
  /** Position in the queue at the arrival; null if the request does not wait. */
  #arrivedAt: number | null = null;
  #wait: QueueWait | null = null;
  /** Number of times the tunnel was resumed during the request. */
  resumed = 0;
  /** Status that the caller received before Ollama's; null if it gets Ollama's. */
  earlyStatus: number | null = null;

  constructor(id: string, open: Open, arrived: ArrivalTimes, shell: MeasuredRequestShell) {
    this.#id = id;
    this.#open = open;
    this.#shell = shell;
    this.#source = arrived.source;
    const { spool } = shell;
    this.#measurement =
      spool === null ? null : new Measurement(id, open, arrived, { ...shell, spool });
  }

  get isSent(): boolean {
    return this.#exchange !== null;
  }

  /** True once it cannot be refused any more: it waits in the queue, or Ollama has it. */
  get isAccepted(): boolean {
    return this.#arrivedAt !== null || this.isSent;
  }

  /** True until Ollama begins to answer. */
  get isQueued(): boolean {
    return this.#httpStatus === null;
  }

  /** The wait in the queue before Ollama had the request; null without one, or before its end. */
  get wait(): QueueWait | null {
    return this.#wait;
  }

  /** True once Ollama has finished its answer, however long the caller takes to read it. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** The request as readings list it. */
  get asOpen(): OpenRequest {
    const open = openRequestOf(this.#id, this.#open, this.isQueued);
    return this.#isAnswered ? open : { ...open, ...this.#measurement?.pace };
  }

  /** The state to note in the spool. An answer in one piece has not begun until it is whole. */
  get progress(): NotedRequest {
    const http_status = this.earlyStatus ?? (this.#open.stream ? this.#httpStatus : null);
    const measured = this.#measurement?.progress ?? NOT_MEASURED;
    const response = http_status === null ? null : measured.response;
    return { request_id: this.#id, http_status, ...measured, response };
  }

  /**
   * Sends the request to Ollama. Called once.
   * @param body  the whole body; null if it follows through `write` and `end`, or without a body
   * @param read  the result of its scan, if there was one
   */
  send(body: Uint8Array | null, handler: AnswerHandler, read?: ReadBody): void {
    const whole = body ?? NO_PAYLOAD;
    const found = whole.length === 0 ? null : (read ?? readBodyOf(this.#open.endpoint, whole));
    const local = this.#measurement?.begin(whole, found) ?? unmeasuredBody(whole);
    const decision = this.#shell.guard(this.#open, found);
    const { silence, now } = this.#shell;
    const sendNow = (waitedMs: number) => {
      if (this.#arrivedAt !== null)
        this.#wait = { position: this.#arrivedAt, waited_ms: roundMs(waitedMs) };
      this.#measurement?.sent(waitedMs);
      this.#exchange = this.#sendAdmitted(body === null ? null : local, handler);
      silence.sent(this.#id, now());
    };
    const proceed = (refusal: Refusal | null) => {
      if (this.#isOver) return;
      if (refusal?.reason === "ollama_unreachable")
        return handler.onRefused({ ...refusal, message: this.#noAnswer(refusal.message) });
      if (refusal !== null) return handler.onRefused(refusal);
      this.#awaitAnswer(handler);
      if (this.#isOver) return;
      // The queue learns from measurements.
      if (this.#measurement === null) return sendNow(0);
      const { box } = this.#shell;
      const bytes = whole.length;
      const turn = { id: this.#id, open: this.#open, bytes, source: this.#source };
      const place = awaitTurn(turn, this.#shell, sendNow, (had) =>
        handler.onRefused({ reason: "queue_full", box, ...had }),
      );
      this.#arrivedAt = place?.position ?? null;
    };
    if (decision instanceof Promise)
      decision.then(proceed).catch((error: Error) => handler.onError(error.message, false));
    else proceed(decision);
  }

  #noAnswer(why: string): string {
    return `Ollama does not answer on box ${this.#shell.box}: ${why}`;
  }

  /** Fails the request if Ollama hangs. */
  #awaitAnswer(handler: AnswerHandler): void {
    const { silence, now } = this.#shell;
    const { model, stream } = this.#open;
    const silent = {
      kind: `${model} ${stream}`,
      isPatient: waitsForOllama(this.#open),
      onHung: (why: string) => handler.onError(this.#noAnswer(why), false, true),
    };
    silence.begins(this.#id, silent, now());
  }

  #sendAdmitted(local: LocalBody | null, handler: AnswerHandler): LocalExchange {
    const { method, path, headers } = this.#open;
    const pass = (chunk: Uint8Array) => chunk.length > 0 && handler.onData(chunk);
    return this.#shell.ollama.send({
      method,
      path,
      headers,
      isPatient: waitsForOllama(this.#open),
      body: local?.parts ?? null,
      onHead: (status, answerHeaders) => {
        this.#httpStatus = status;
        this.#shell.silence.answered(this.#id, this.#shell.now());
        const type = answerHeaders.find(([name]) => name === "content-type")?.[1] ?? null;
        this.#measurement?.head(status, type);
        // Removing the usage changes the length.
        const kept = local?.hideUsage
          ? answerHeaders.filter(([name]) => name !== "content-length")
          : answerHeaders;
        const isTooLong = status === 200 && this.#measurement?.isTooLong === true;
        handler.onHead(status, isTooLong ? [...kept, [TRUNCATED_HEADER, LIKELY]] : kept);
      },
      onData: (chunk) => pass(this.#measurement?.data(chunk) ?? chunk),
      onEnd: () => {
        this.#isAnswered = true;
        pass(this.#measurement?.end() ?? NO_PAYLOAD);
        handler.onEnd();
      },
      onError: (error, hadHead) =>
        handler.onError(hadHead ? error.message : this.#noAnswer(error.message), hadHead),
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
    this.#measurement?.pause();
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
    this.#measurement?.loseCaller();
  }

  /** The caller's answer goes on. */
  regainCaller(): void {
    this.#measurement?.regainCaller();
  }

  /** The caller has the whole answer: a success, unless the answer itself reports an error. */
  complete(): void {
    const error = this.#measurement?.error ?? null;
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

  #close(
    status: Status,
    httpStatus: number,
    failedAt: FailedAt | null,
    message: string | null,
  ): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isAnswered = true;
    this.#shell.silence.left(this.#id);
    this.#exchange?.abort();
    this.#measurement?.close({
      status,
      httpStatus: this.earlyStatus ?? httpStatus,
      failedAt,
      message,
      resumed: this.resumed,
    });
  }
}
