/**
 * One HTTP request to the simulated Ollama and its response, with the behaviour of Go's server:
 * headers leave with the first byte of the body, small bodies have a length, and a disconnecting
 * caller triggers a signal.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { goJson } from "./go-json.ts";

/** Go's server buffers this many bytes before it sends a body without a Content-Length. */
const BUFFERED_BYTES = 2_048;

export const JSON_UTF8 = "application/json; charset=utf-8";

export class Exchange {
  readonly method: string;
  /** The decoded path without the query, which is what Ollama's router matches. */
  readonly path: string;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  /** Aborts if the caller disconnects before the response is complete. */
  readonly signal: AbortSignal;
  readonly #response: ServerResponse;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(request: IncomingMessage, response: ServerResponse, path: string, body: Buffer) {
    this.method = request.method ?? "GET";
    this.path = path;
    this.body = body;
    this.contentType = request.headers["content-type"];
    this.#response = response;
    const controller = new AbortController();
    this.signal = controller.signal;
    const leave = () => {
      if (!response.writableFinished) controller.abort(new Error("the caller disconnected"));
    };
    if (response.closed) leave();
    response.on("close", leave);
    // Go sends no header about keeping a connection open, because HTTP/1.1 keeps it open by
    // default.
    response.removeHeader("connection");
  }

  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  /** Sends a whole response. */
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

  /** Sends a whole response as JSON, as Ollama's own handlers do. */
  json(status: number, value: unknown): void {
    this.send(status, JSON_UTF8, goJson(value));
  }

  /** Sends an error in Ollama's own format. */
  fail(status: number, message: string): void {
    this.json(status, { error: message });
  }

  /** Sets the headers of a streamed response. They leave with the first chunk. */
  stream(contentType: string, headers: Record<string, string> = {}): void {
    this.#response.setHeader("content-type", contentType);
    for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value);
  }

  /**
   * Sends one chunk of a streamed response and resolves when the socket accepts more. @throws if
   * the caller disconnected
   */
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

  /** Cuts the connection in the middle of a response, after everything written so far has left. */
  async cut(): Promise<void> {
    await this.#lastWrite;
    this.#response.destroy();
  }

  /** Sends the first half of a whole response and cuts the connection. */
  async cutWithin(contentType: string, body: string): Promise<void> {
    this.#response.setHeader("content-type", contentType);
    this.#response.setHeader("content-length", Buffer.byteLength(body));
    await this.write(body.slice(0, Math.ceil(body.length / 2)));
    await this.cut();
  }

  /** Sends nothing until the caller disconnects. */
  hang(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
