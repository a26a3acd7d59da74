/**
 * One request to the Ollama on this box, measured: written down before Ollama is asked, metered
 * while its answer passes, and closed with exactly one record, whatever ends it.
 *
 * Knows nothing of where the request came from: a stream of the tunnel and a call to the local
 * listener both are one of these.
 */
import { NO_PAYLOAD } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { ERROR_CHARS_MAX } from "../../protocol/limits.ts";
import { factsOf, type Headers, type Open, openRequestOf } from "../../protocol/messages.ts";
import { cut, type FailedAt, type Status, UNMEASURED } from "../../protocol/records.ts";
import { isInference } from "../../protocol/routes.ts";
import type { EnergyMeter } from "../measure/energy.ts";
import { type LocalBody, localBodyOf } from "../measure/local-body.ts";
import { type Meter, meterOf } from "../measure/meter.ts";
import { roundMs } from "../measure/phases.ts";
import type { Spool } from "../spool/spool.ts";
import type { LocalExchange, OllamaClient } from "./ollama.ts";

export type MeasuredRequestShell = {
  box: string;
  ollama: Pick<OllamaClient, "send">;
  /** Null: nothing is measured and nothing recorded, and every body passes as it is. */
  spool: Spool | null;
  energy: EnergyMeter;
  /** Monotonic milliseconds. */
  now: () => number;
};

/** How a request came to this box. */
export type ArrivalTimes = {
  /** When, monotonic ms. */
  atMs: number;
  /** A round trip of the tunnel then; null when it did not come through one, or that is not known. */
  tunnelMs: number | null;
};

/** Who gets Ollama's answer, as it comes. */
export type AnswerHandler = {
  onHead(status: number, headers: Headers): void;
  /** Never empty. */
  onData(chunk: Uint8Array): void;
  onEnd(): void;
  /** Once, instead of `onEnd`. `hadHead`: the answer had begun. */
  onError(message: string, hadHead: boolean): void;
};

/** nginx's "client closed request": what a caller that left before the answer was told. */
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
  /** How often the tunnel was resumed during it. */
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

  /** Ollama has not begun to answer. */
  get isQueued(): boolean {
    return this.#httpStatus === null;
  }

  /** What readings say of it. */
  get asOpen(): OpenRequest {
    return openRequestOf(this.#id, this.#open, this.isQueued);
  }

  /** Asks Ollama, once. @param body  whole; null when it follows through `write` and `end`, or when there is none */
  send(body: Uint8Array | null, taker: AnswerHandler): void {
    const { spool, ollama, now } = this.#shell;
    const { method, path, headers, endpoint, stream } = this.#open;
    const whole = body ?? NO_PAYLOAD;
    const local =
      spool === null
        ? { body: whole, prompt: null, hideUsage: false }
        : localBodyOf(endpoint, stream, whole);
    if (spool !== null) this.#begin(spool, local);
    const pass = (chunk: Uint8Array) => chunk.length > 0 && taker.onData(chunk);
    this.#exchange = ollama.send({
      method,
      path,
      headers,
      body: body === null ? null : local.body,
      onHead: (status, answered) => {
        this.#httpStatus = status;
        this.#meter?.head(
          status,
          answered.find(([name]) => name === "content-type")?.[1] ?? null,
          now(),
        );
        // An answer from which usage is taken out has another length.
        taker.onHead(
          status,
          local.hideUsage ? answered.filter(([name]) => name !== "content-length") : answered,
        );
      },
      onData: (chunk) => pass(this.#meter?.data(chunk, now()) ?? chunk),
      onEnd: () => {
        this.#answered();
        pass(this.#meter?.end(now()) ?? NO_PAYLOAD);
        taker.onEnd();
      },
      onError: (error, hadHead) =>
        taker.onError(
          hadHead ? error.message : `Ollama does not answer on this box: ${error.message}`,
          hadHead,
        ),
    });
  }

  /** A part of a body that was not whole. @returns false when the caller should wait for `onDrain` */
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

  /** The caller has the whole answer: a success, unless the answer itself said that Ollama failed. */
  complete(): void {
    const error = this.#meter?.measured().error ?? null;
    this.#close(
      error === null ? "success" : "error",
      this.#httpStatus ?? 200,
      error === null ? null : "ollama",
      error,
    );
  }

  /** The caller went away. Ollama stops. @param httpStatus  what it was told when its answer began; null when it had not */
  cancel(httpStatus: number | null): void {
    this.#close("cancelled", httpStatus ?? CLOSED_REQUEST, null, null);
  }

  /** @param httpStatus  what the caller was told */
  fail(failedAt: FailedAt, message: string, httpStatus: number): void {
    this.#close("error", httpStatus, failedAt, message);
  }

  /** From here on there is exactly one record, whatever is killed. */
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

  /** Ollama has nothing more to do for it, however long its caller takes. */
  #answered(): void {
    const { energy, now } = this.#shell;
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
    this.#answered();
    // The meter's own finding is the outcome already.
    const { error: _, ...measured } = this.#meter?.measured() ?? { ...UNMEASURED, error: null };
    this.#shell.spool?.finish({
      ...factsOf(this.#id, this.#open),
      ...measured,
      box: this.#shell.box,
      status,
      http_status: httpStatus,
      failed_at: failedAt,
      error_message: errorMessage === null ? null : cut(errorMessage, ERROR_CHARS_MAX),
      prompt: this.#prompt,
      latency_ms: roundMs((this.#open.edge_ms ?? 0) + this.#shell.now() - this.#arrived.atMs),
      tunnel_ms: this.#arrived.tunnelMs,
      energy_j: null, // known with the next reading of the GPUs: see delivery.ts
      resumed: this.resumed,
    });
  }
}
