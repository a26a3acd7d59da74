/**
 * One call of a local caller to the listener, from its request line to the last byte of the answer.
 *
 * What goes to Ollama and what comes back is what the tunnel would carry: a JSON body checked and
 * written anew, any other streamed; an answer byte-true, read from Ollama only as fast as the
 * caller takes it. A caller that leaves stops Ollama.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { checkBody, jsonOf } from "../../protocol/body-policy.ts";
import { endingOf } from "../../protocol/ending.ts";
import { errorBody, errorHeaders, type WireError } from "../../protocol/failures.ts";
import { NO_PAYLOAD } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { BODY_BYTES_MAX, HEAD_BYTES_MAX } from "../../protocol/limits.ts";
import { type Headers, type Open, openRequestOf } from "../../protocol/messages.ts";
import type { Api } from "../../protocol/records.ts";
import { FORWARDED_HEADERS } from "../../protocol/routes.ts";
import type { Target } from "../../protocol/target.ts";
import type { Log } from "../log.ts";
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
  /** May prompts and responses be kept? */
  keepsText: () => boolean;
};

/** An HTTP request as it arrived. */
export type Arrival = {
  id: string;
  request: IncomingMessage;
  response: ServerResponse;
  /** For every answer, whatever it is. */
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
      headers: forwardedHeaders(request, route.body === "raw"),
      endpoint: route.path,
      api: route.api,
      model,
      stream: false,
      started_at: new Date(shell.wallClock()).toISOString(),
      edge_ms: null,
      keep_text: shell.keepsText(),
      key_id: null,
      client_ip: clientIpOf(request),
      user_agent: textOf(request.headers["user-agent"])?.slice(0, 512) ?? null,
    };
  }

  /** The route pattern, e.g. `/api/chat`. */
  get endpoint(): string {
    return this.#facts.endpoint;
  }

  /** Ollama has not begun to answer. */
  get isQueued(): boolean {
    return this.#measured?.isQueued ?? true;
  }

  /** What readings say of it. */
  get asOpen(): OpenRequest {
    return this.#measured?.asOpen ?? openRequestOf(this.#arrival.id, this.#facts, true);
  }

  /** @param onOver  the call is over, and its record is written */
  begin(onOver: () => void): void {
    const { request, response } = this.#arrival;
    const close = () => {
      if (this.#isOver) return;
      this.#isOver = true;
      request.socket.off("close", close);
      if (response.writableFinished) this.#measure().complete();
      else this.#measure().cancel(response.headersSent ? response.statusCode : null);
      request.resume(); // what is left of an upload that Ollama did not want
      onOver();
    };
    response.on("error", () => {}); // a close follows, and says all
    response.once("close", close);
    // Node 20 closes no answer that waits behind another on its connection.
    request.socket.once("close", close);
    this.#attempt(() => this.#takeRequest());
  }

  /** Ends the call because the agent stops. */
  stop(): void {
    this.#fail({ reason: "stopped" });
  }

  onHead(status: number, headers: Headers): void {
    const { id, response, headers: own } = this.#arrival;
    this.#contentType = headers.find(([name]) => name === "content-type")?.[1] ?? "";
    this.#hasLength = headers.some(([name]) => name === "content-length");
    response.writeHead(status, [...headers, ...Object.entries(own), ["x-request-id", id]].flat());
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
    const refusal = refusalOf(this.#arrival.request, this.#facts.headers);
    if (refusal !== null) return this.#fail(refusal);
    switch (this.#target.route.body) {
      case "none":
        return this.#measure().send(NO_PAYLOAD, this);
      case "json":
        return this.#readJson();
      case "raw":
        return this.#passRaw();
    }
  }

  /** What one call cannot take ends that call: all others share this process. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#shell.log("error", "call_failed", { request_id: this.#arrival.id, error });
      this.#fail({ reason: "internal" });
    }
  }

  #readJson(): void {
    const { request, response } = this.#arrival;
    if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX)
      return this.#fail({ reason: "body_too_large" });
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      if (response.headersSent) return; // refused: the rest is read, so that the caller reads why
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= BODY_BYTES_MAX) return;
      chunks.length = 0;
      this.#fail({ reason: "body_too_large" });
    });
    request.once("end", () => {
      if (!response.headersSent && !this.#isOver)
        this.#attempt(() => this.#askJson(Buffer.concat(chunks)));
    });
  }

  #askJson(body: Buffer): void {
    const text = utf8Of(body);
    if (text === null)
      return this.#fail({ reason: "bad_request", what: "The request body is not UTF-8." });
    const json = jsonOf(text);
    const checked = json.ok ? checkBody(this.#target.route, json.value) : json;
    if (!checked.ok) return this.#fail(checked.failure);
    const { bytes, model, stream } = checked.body;
    this.#measure({ model: model ?? this.#facts.model, stream }).send(bytes, this);
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

  /** The request to Ollama, or what stands for it in the record of a call that was refused. */
  #measure(said: { model: string | null; stream: boolean } = this.#facts): MeasuredRequest {
    const arrived = { atMs: this.#startMs, tunnelMs: null };
    this.#measured ??= new MeasuredRequest(
      this.#arrival.id,
      { ...this.#facts, ...said },
      arrived,
      this.#shell,
    );
    return this.#measured;
  }

  /** Ends the call with an error: the answer is one, or, when it had begun, ends with one in its own format. */
  #fail(failure: LocalFailure): void {
    if (this.#isOver) return;
    const { response } = this.#arrival;
    const told = localWireErrorOf(failure);
    this.#measure().fail(
      told.failedAt,
      told.message,
      response.headersSent ? response.statusCode : told.status,
    );
    if (!response.headersSent) return answerError(this.#arrival, this.#facts.api, told);
    const last = this.#hasLength
      ? null
      : endingOf(this.#contentType, this.#facts.api, told, this.#arrival.id, this.#isAtLineStart);
    if (last === null) response.destroy();
    else response.end(last);
  }
}

/** An error answer, in the words of the API that was called. */
export function answerError({ id, response, headers }: Arrival, api: Api, told: WireError): void {
  const body = Buffer.from(JSON.stringify(errorBody(api, told, id)));
  response.writeHead(told.status, {
    ...headers,
    ...errorHeaders(told, id),
    "content-type": "application/json",
    "content-length": body.length,
  });
  response.end(body);
}

/** Why the head alone cannot be taken; null when it can. */
function refusalOf(request: IncomingMessage, forwarded: Headers): LocalFailure | null {
  if (forwarded.some(([, value]) => value.length > HEAD_BYTES_MAX / 4))
    return { reason: "head_too_large" };
  const encoding = request.headers["content-encoding"] ?? "identity";
  return encoding.toLowerCase() === "identity"
    ? null
    : { reason: "encoded_body", encoding: encoding.slice(0, 50) };
}

function forwardedHeaders({ headers }: IncomingMessage, isRaw: boolean): Headers {
  const pairs: Headers = [];
  for (const [name, value] of Object.entries(headers)) {
    const text = typeof value === "string" ? textOf(value) : null;
    if (text !== null && (FORWARDED_HEADERS.has(name) || (isRaw && name === "content-length")))
      pairs.push([name, text]);
  }
  return pairs;
}

/** A header value as text: Node gives one character a byte, callers write UTF-8. */
const textOf = (value: string | undefined): string | null =>
  value === undefined ? null : Buffer.from(value, "latin1").toString("utf8");

/** An IPv4 caller of a socket for both families is shown as what it is. */
const clientIpOf = ({ socket }: IncomingMessage): string | null =>
  socket.remoteAddress?.replace(/^::ffff:/, "").slice(0, 64) ?? null;

function utf8Of(bytes: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
