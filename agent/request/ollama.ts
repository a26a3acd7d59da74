/**
 * The local request: one HTTP exchange with the Ollama on this box.
 *
 * `node:http`, not fetch: the answer's bytes must reach the caller as they are (fetch would
 * decompress), and Ollama answers 403 unless `Host` is local, which fetch does not let us say.
 * Redirects are not followed: the agent talks to its configured Ollama and nothing else.
 */
import http from "node:http";
import https from "node:https";
import type { Headers } from "../../protocol/messages.ts";
import { FORWARDED_HEADERS, HOP_BY_HOP_HEADERS } from "../../protocol/routes.ts";

export type LocalRequest = {
  method: string;
  path: string;
  headers: Headers;
  /** The whole body; or null when it follows through `write` and `end`, or when there is none. */
  body: Uint8Array | null;
  onHead(status: number, headers: Headers): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Once, instead of `onEnd`. `hadHead`: the answer had begun. */
  onError(error: Error, hadHead: boolean): void;
};

export type LocalExchange = {
  /** @returns false when the caller should wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  onDrain(resume: () => void): void;
  end(): void;
  pause(): void;
  resume(): void;
  /** Ends the exchange; Ollama sees the connection go and stops generating. No event follows. */
  abort(): void;
};

export class OllamaClient {
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;

  /** @param base e.g. `http://127.0.0.1:11434` */
  constructor(base: URL) {
    this.#base = base;
    const isTls = base.protocol === "https:";
    const options = {
      keepAlive: true,
      noDelay: true,
      maxSockets: Number.POSITIVE_INFINITY,
      maxFreeSockets: 64,
    };
    this.#agent = isTls ? new https.Agent(options) : new http.Agent(options);
    this.#request = isTls ? https.request : http.request;
  }

  send(local: LocalRequest): LocalExchange {
    let isOver = false;
    let isRead = false;
    let answer: http.IncomingMessage | null = null;
    let request = this.#open(local);
    const fail = (error: Error) => {
      if (isOver) return;
      isOver = true;
      local.onError(error, answer !== null);
    };
    const listen = () => {
      request.once("response", (message) => {
        answer = message;
        local.onHead(message.statusCode ?? 502, answerHeaders(message.rawHeaders));
        message.on("data", local.onData);
        message.once("end", () => {
          isRead = true;
          if (isOver) return;
          isOver = true;
          local.onEnd();
        });
        message.once("aborted", () =>
          fail(new Error("Ollama closed the connection in the middle of its answer")),
        );
        message.on("error", fail);
      });
      // Not `once`: a body that is still being written to a connection that broke fails again.
      request.on("error", (error: NodeJS.ErrnoException) => {
        // A kept-alive connection may be closed by Ollama just as we use it: nothing was served, ask again.
        if (
          !isOver &&
          answer === null &&
          request.reusedSocket &&
          error.code === "ECONNRESET" &&
          local.body !== null
        ) {
          request = this.#open(local);
          listen();
          request.end(local.body);
        } else fail(error);
      });
    };
    listen();
    if (local.body !== null) request.end(local.body);
    return {
      write: (chunk) => request.write(chunk),
      onDrain: (resume) => request.once("drain", resume),
      end: () => request.end(),
      pause: () => answer?.pause(),
      resume: () => answer?.resume(),
      abort: () => {
        isOver = true;
        // Complete both ways, the connection is kept for the next request; else it goes, and Ollama sees that.
        if (!isRead || !request.writableEnded) request.destroy();
      },
    };
  }

  close(): void {
    this.#agent.destroy();
  }

  #open({ method, path, headers, body }: LocalRequest): http.ClientRequest {
    const request = this.#request({
      protocol: this.#base.protocol,
      hostname: this.#base.hostname.replace(/^\[|\]$/g, ""),
      port: this.#base.port,
      path: this.#base.pathname.replace(/\/$/, "") + path,
      method,
      agent: this.#agent,
      setHost: false,
    });
    request.setHeader("host", "localhost:11434");
    // Checked here too, though the edge sends nothing else: this is the side that guards the box.
    for (const [name, value] of headers)
      if (FORWARDED_HEADERS.has(name)) request.setHeader(name, fieldValue(value));
    const length = headers.find(([name]) => name === "content-length")?.[1];
    if (body !== null && (body.length > 0 || method === "POST"))
      request.setHeader("content-length", body.length);
    else if (length !== undefined && /^\d+$/.test(length))
      request.setHeader("content-length", length);
    return request;
  }
}

/** A value as Node takes it: UTF-8 as one character a byte, without the control characters that it throws at. */
const fieldValue = (text: string): string =>
  Buffer.from(text)
    .toString("latin1")
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, "");

/** Name-value pairs of the answer without what belongs to the local connection. */
function answerHeaders(raw: string[]): Headers {
  const headers: Headers = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase();
    if (!HOP_BY_HOP_HEADERS.has(name)) headers.push([name, raw[i + 1] ?? ""]);
  }
  return headers;
}
