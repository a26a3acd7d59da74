/**
 * One local caller's call to the listener, from its request line to the last byte of the answer.
 *
 * Ollama receives, and the caller gets, exactly what the tunnel would carry. A JSON body or a form is
 * checked as a whole; any other body is streamed. The answer is byte-true and is read from Ollama
 * only as fast as the caller takes it. A caller that disconnects stops Ollama.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { INERT, passedHeaders } from "../../protocol/answer-headers.ts";
import { checkScanned } from "../../protocol/body-policy.ts";
import { readBodyOf } from "../../protocol/body-reader.ts";
import { endingOf } from "../../protocol/ending.ts";
import { errorBody, errorHeaders, type WireError } from "../../protocol/failures.ts";
import { checkForm } from "../../protocol/form-policy.ts";
import { NO_PAYLOAD } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { type Headers, type Open, openRequestOf } from "../../protocol/messages.ts";
import type { Api } from "../../protocol/records.ts";
import {
  encodingFailure,
  forwardedHeaders,
  headFailure,
  sizeFailure,
} from "../../protocol/request-checks.ts";
import { callerTag, SESSION_HEADER } from "../../protocol/tags.ts";
import type { Target } from "../../protocol/target.ts";
import type { Log } from "../log.ts";
import { GrowingBytes } from "../measure/growing-bytes.ts";
import type { Refusal } from "../request/guard.ts";
import {
  type AnswerHandler,
  MeasuredRequest,
  type MeasuredRequestShell,
} from "../request/measured-request.ts";
import { type LocalFailure, localWireErrorOf } from "./local-failure.ts";

export type CallShell = MeasuredRequestShell & {
  log: Log;
  /** Wall clock, unix ms. */
  wallClock: () => number;
  /** Returns whether prompts and responses may be kept. */
  keepsText: () => boolean;
};

/** An HTTP request as it arrived. */
export type Arrival = {
  id: string;
  request: IncomingMessage;
  response: ServerResponse;
  /** Added to every answer, errors included. */
  headers: Record<string, string>;
};

export class LocalCall implements AnswerHandler {
  readonly #arrival: Arrival;
  readonly #target: Target;
  readonly #shell: CallShell;
  readonly #startMs: number;
  readonly #facts: Open;
  #measured: MeasuredRequest | null = null;
  #contentType = "";
  #hasLength = false;
  #isAtLineStart = true;
  #isOver = false;

  constructor(arrival: Arrival, target: Target, shell: CallShell) {
    const { request } = arrival;
    const { route, path, model } = target;
    this.#arrival = arrival;
    this.#target = target;
    this.#shell = shell;
    this.#startMs = shell.now();
    this.#facts = {
      method: route.method,
      path,
      headers: forwardedHeaders(headersOf(request), route.body),
      endpoint: route.path,
      api: route.api,
      model,
      stream: false,
      started_at: new Date(shell.wallClock()).toISOString(),
      edge_ms: null,
      keep_text: shell.keepsText(),
      key_id: null,
      client_ip: clientIpOf(request),
      user_agent: utf8Of(request.headers["user-agent"])?.slice(0, 512) ?? null,
      session_id: callerTag(utf8Of(request.headersDistinct[SESSION_HEADER]?.[0])) ?? undefined,
    };
  }

  /** The route pattern, e.g. `/api/chat`. */
  get endpoint(): string {
    return this.#facts.endpoint;
  }

  /** True until Ollama begins its answer. */
  get isQueued(): boolean {
    return this.#measured?.isQueued ?? true;
  }

  /** The call as readings list it. */
  get asOpen(): OpenRequest {
    return this.#measured?.asOpen ?? openRequestOf(this.#arrival.id, this.#facts, true);
  }

  /** True once Ollama has finished its answer. */
  get isAnswered(): boolean {
    return this.#measured?.isAnswered ?? false;
  }

  /** The state of the call, for the spool; null before its local request is sent. */
  get progress(): MeasuredRequest["progress"] | null {
    return this.#measured?.progress ?? null;
  }

  /** @param onOver  runs when the call is over and its record is written */
  begin(onOver: () => void): void {
    const { request, response } = this.#arrival;
    const close = () => {
      if (this.#isOver) return;
      this.#isOver = true;
      request.socket.off("close", close);
      if (response.writableFinished) this.#measure().complete();
      else this.#measure().cancel(response.headersSent ? response.statusCode : null);
      request.resume(); // drains the rest of an upload that Ollama refused
      onOver();
    };
    response.on("error", () => {}); // the close event follows and handles it
    response.once("close", close);
    // Node 20 emits no close for an answer that waits behind another on its connection.
    request.socket.once("close", close);
    this.#attempt(() => this.#takeRequest());
  }

  /** Ends the call with an error because the agent stops. */
  stop(): void {
    this.#fail({ reason: "stopped" });
  }

  onRefused(refusal: Refusal): void {
    this.#fail(refusal);
  }

  onHead(status: number, headers: Headers): void {
    const { id, response, headers: own } = this.#arrival;
    this.#contentType = headers.find(([name]) => name === "content-type")?.[1] ?? "";
    this.#hasLength = headers.some(([name]) => name === "content-length");
    const added = [...Object.entries({ ...INERT, ...own }), ["x-request-id", id]];
    response.writeHead(status, [...passedHeaders(headers), ...added].flat());
  }

  onData(chunk: Uint8Array): void {
    const { response } = this.#arrival;
    this.#isAtLineStart = chunk.at(-1) === 0x0a;
    if (response.write(chunk)) return;
    this.#measured?.pause();
    response.once("drain", () => this.#measured?.resume());
  }

  onEnd(): void {
    this.#arrival.response.end();
  }

  onError(message: string, hadHead: boolean): void {
    this.#fail({ reason: hadHead ? "ollama_broke" : "ollama_unreachable", message });
  }

  #takeRequest(): void {
    const { headers } = this.#arrival.request;
    const failure =
      headFailure(this.#facts.headers) ?? encodingFailure(headers["content-encoding"]);
    if (failure !== null) return this.#fail(failure);
    switch (this.#target.route.body) {
      case "none":
        return this.#measure().send(NO_PAYLOAD, this);
      case "json":
      case "form":
        return this.#readWhole();
      case "raw":
        return this.#passRaw();
    }
  }

  /** Ends only this call if `act` throws: all other calls share this process. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#shell.log("error", "call_failed", { request_id: this.#arrival.id, error });
      this.#fail({ reason: "internal" });
    }
  }

  #readWhole(): void {
    const { request, response } = this.#arrival;
    const length = request.headers["content-length"];
    const announced = sizeFailure(length);
    if (announced !== null) return this.#fail(announced);
    const body = new GrowingBytes(length === undefined ? undefined : Number(length));
    request.on("data", (chunk: Buffer) => {
      if (response.headersSent) return; // refused; the rest is drained so that the caller can read the error
      const counted = sizeFailure(body.length + chunk.length);
      if (counted === null) return body.append(chunk);
      body.take();
      this.#fail(counted);
    });
    request.once("end", () => {
      if (!response.headersSent && !this.#isOver) this.#attempt(() => this.#sendWhole(body.take()));
    });
  }

  #sendWhole(body: Uint8Array): void {
    const { route } = this.#target;
    const read = readBodyOf(this.endpoint, body);
    const checked =
      route.body === "form"
        ? checkForm(this.#arrival.request.headers["content-type"] ?? null, body)
        : checkScanned(route, body, read.scan);
    if (!checked.ok) return this.#fail(checked.failure);
    const { bytes, model, stream, endUser } = checked.body;
    const end_user = endUser ?? undefined;
    this.#measure({ model: model ?? this.#facts.model, stream, end_user }).send(bytes, this, read);
  }

  #passRaw(): void {
    const { request } = this.#arrival;
    const measured = this.#measure();
    measured.send(null, this);
    request.on("data", (chunk: Buffer) => {
      if (this.#isOver || measured.write(chunk)) return;
      request.pause();
      measured.onDrain(() => request.resume());
    });
    request.once("end", () => measured.end());
  }

  /** Returns the request to Ollama. A refused call has one too, which only makes its record. */
  #measure(body: Pick<Open, "model" | "stream" | "end_user"> = this.#facts): MeasuredRequest {
    const arrived = { atMs: this.#startMs, tunnelMs: null, source: "listener" as const };
    this.#measured ??= new MeasuredRequest(
      this.#arrival.id,
      { ...this.#facts, ...body },
      arrived,
      this.#shell,
    );
    return this.#measured;
  }

  /**
   * Ends the call with an error answer, or, after the first byte, with an error in the stream's own
   * format.
   */
  #fail(failure: LocalFailure): void {
    if (this.#isOver) return;
    const { response } = this.#arrival;
    const error = localWireErrorOf(failure);
    this.#measure().fail(
      error.failedAt,
      error.message,
      response.headersSent ? response.statusCode : error.status,
    );
    if (!response.headersSent) return answerError(this.#arrival, this.#facts.api, error);
    const ending = this.#hasLength
      ? null
      : endingOf(this.#contentType, this.#facts.api, error, this.#arrival.id, this.#isAtLineStart);
    if (ending === null) response.destroy();
    else response.end(ending);
  }
}

/** Sends an error answer in the shape of the called API. */
export function answerError({ id, response, headers }: Arrival, api: Api, error: WireError): void {
  const body = Buffer.from(JSON.stringify(errorBody(api, error, id)));
  response.writeHead(error.status, {
    ...headers,
    ...errorHeaders(error, id),
    "content-type": "application/json",
    "content-length": body.length,
  });
  response.end(body);
}

/** Yields the headers that occur once, as text. */
function* headersOf({ headers }: IncomingMessage): Generator<[name: string, value: string]> {
  for (const [name, value] of Object.entries(headers)) {
    const text = typeof value === "string" ? utf8Of(value) : null;
    if (text !== null) yield [name, text];
  }
}

/** Decodes a header value: Node gives each byte as one character, but callers send UTF-8. */
const utf8Of = (value: string | undefined): string | null =>
  value === undefined ? null : Buffer.from(value, "latin1").toString("utf8");

/** Returns the caller's address. A dual-stack socket maps IPv4 into IPv6; the prefix is dropped. */
const clientIpOf = ({ socket }: IncomingMessage): string | null =>
  socket.remoteAddress?.replace(/^::ffff:/, "").slice(0, 64) ?? null;
