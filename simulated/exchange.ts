/**
 * One HTTP request to the simulated Ollama and its answer, with the manners of Go's server: a head
 * is sent with the first byte of the body and not before, small bodies have a length, and the
 * caller's leaving is a signal.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { goJson } from "./go-json.ts";

/** Go's server buffers this much before it gives up on a Content-Length, bytes. */
const BUFFERED_BYTES = 2_048;

export const JSON_UTF8 = "application/json; charset=utf-8";

export class Exchange {
  readonly method: string;
  /** Decoded, without the query: what Ollama's router matches. */
  readonly path: string;
  readonly body: Buffer;
  /** Aborts when the caller is gone before the answer is complete. */
  readonly signal: AbortSignal;
  readonly #response: ServerResponse;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(request: IncomingMessage, response: ServerResponse, path: string, body: Buffer) {
    this.method = request.method ?? "GET";
    this.path = path;
    this.body = body;
    this.#response = response;
    const controller = new AbortController();
    this.signal = controller.signal;
    const leave = () => {
      if (!response.writableFinished) controller.abort(new Error("the caller is gone"));
    };
    if (response.closed) leave();
    response.on("close", leave);
    // Go says nothing about keeping a connection open: HTTP/1.1 means that.
    response.removeHeader("connection");
  }

  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  /** A whole answer. */
  send(
    status: number,
    contentType: string | null,
    body: string | Buffer,
    headers: Record<string, string> = {},
  ): void {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    if (contentType !== null) this.#response.setHeader("content-type", contentType);
    if (bytes.length < BUFFERED_BYTES) this.#response.setHeader("content-length", bytes.length);
    this.#response.writeHead(status, headers);
    this.#response.end(this.method === "HEAD" ? undefined : bytes);
  }

  /** A whole answer in JSON, as Ollama's own handlers send it. */
  json(status: number, value: unknown): void {
    this.send(status, JSON_UTF8, goJson(value));
  }

  /** A native error. */
  fail(status: number, message: string): void {
    this.json(status, { error: message });
  }

  /** Headers for a streamed answer; they leave with the first chunk. */
  stream(contentType: string, headers: Record<string, string> = {}): void {
    this.#response.setHeader("content-type", contentType);
    for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value);
  }

  /** One chunk of a streamed answer. Resolves when the socket takes more. @throws when the caller is gone */
  async write(chunk: string): Promise<void> {
    this.signal.throwIfAborted();
    let hasRoom = true;
    this.#lastWrite = new Promise((resolve) => {
      hasRoom = this.#response.write(chunk, () => resolve());
    });
    if (hasRoom) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        this.#response.off("drain", go);
        this.signal.removeEventListener("abort", go);
        resolve();
      };
      this.#response.once("drain", go);
      this.signal.addEventListener("abort", go, { once: true });
    });
    this.signal.throwIfAborted();
  }

  end(): void {
    this.#response.end();
  }

  /** Cuts the connection in mid-answer, after what was written has left. */
  async cut(): Promise<void> {
    await this.#lastWrite;
    this.#response.destroy();
  }

  /** The first half of a whole answer, then the cut. */
  async cutWithin(contentType: string, body: string): Promise<void> {
    this.#response.setHeader("content-type", contentType);
    this.#response.setHeader("content-length", Buffer.byteLength(body));
    await this.write(body.slice(0, Math.ceil(body.length / 2)));
    await this.cut();
  }

  /** Nothing, until the caller gives up. */
  hang(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
