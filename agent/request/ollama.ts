/**
 * The HTTP client for the Ollama on this box.
 *
 * Uses `node:http` instead of fetch: the answer's bytes must reach the caller unchanged (fetch
 * would decompress them), and Ollama answers 403 unless `Host` is local, a header that fetch does
 * not let us set. Redirects are not followed: the agent connects only to its configured Ollama.
 */
import http from "node:http";
import https from "node:https";
import type { Headers } from "../../protocol/messages.ts";
import { FORWARDED_HEADERS, HOP_BY_HOP_HEADERS } from "../../protocol/routes.ts";
import { OLLAMA_BACK_MS, OllamaPatience } from "./patience.ts";
import { StreamedBody } from "./streamed-body.ts";

export type LocalRequest = {
  method: string;
  path: string;
  headers: Headers;
  /** False: fails at once if Ollama refuses the connection, instead of waiting for its restart. */
  isPatient?: boolean;
  /** The parts of the whole body; null if it follows through `write` and `end`, or without one. */
  body: readonly Uint8Array[] | null;
  onHead(status: number, headers: Headers): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Called once, instead of `onEnd`. `hadHead` is true if the answer had begun. */
  onError(error: Error, hadHead: boolean): void;
};

const WAITED = `also after ${OLLAMA_BACK_MS / 1_000} s`;

export type LocalExchange = {
  /** Returns false if the caller should wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  onDrain(resume: () => void): void;
  end(): void;
  pause(): void;
  resume(): void;
  /**
   * Aborts the exchange. Ollama sees the connection close and stops generating. No event follows.
   */
  abort(): void;
};

export class OllamaClient {
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;
  readonly #patience: OllamaPatience;

  /**
   * @param base      e.g. `http://127.0.0.1:11434`
   * @param patience  shared by all who send requests to this Ollama
   */
  constructor(base: URL, patience = new OllamaPatience()) {
    this.#base = base;
    this.#patience = patience;
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
    let isSent = false;
    let retry: NodeJS.Timeout | null = null;
    let request = this.#open(local);
    const fail = (error: Error) => {
      if (isOver) return;
      isOver = true;
      local.onError(error, answer !== null);
    };
    const listen = () => {
      request.once("response", (message) => {
        answer = message;
        this.#patience.answered();
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
      // Not `once`: writing more of a body to a broken connection raises further errors.
      request.on("error", (error: NodeJS.ErrnoException) => {
        // Ollama may close a kept-alive connection just as it is reused. Nothing was served: retry.
        if (
          !isOver &&
          answer === null &&
          request.reusedSocket &&
          error.code === "ECONNRESET" &&
          (local.body !== null || !streamed.isAccepted)
        ) {
          isSent = local.body !== null;
          return again();
        }
        if (isOver || error.code !== "ECONNREFUSED" || isSent) return fail(error);
        const waitMs = this.#patience.refused(performance.now(), local.isPatient ?? true);
        if (waitMs !== null) retry = setTimeout(again, waitMs);
        else fail(retry === null ? error : new Error(`${error.message}, ${WAITED}`));
      });
    };
    const again = () => {
      request = this.#open(local);
      listen();
      if (local.body !== null) sendWhole(request, local.body);
      else streamed.again(request);
    };
    const streamed = new StreamedBody(request);
    listen();
    if (local.body !== null) sendWhole(request, local.body);
    return {
      write: (part) => streamed.write(part),
      onDrain: (resume) => streamed.onDrain(resume),
      end: () => streamed.end(),
      pause: () => answer?.pause(),
      resume: () => answer?.resume(),
      abort: () => {
        isOver = true;
        if (retry !== null) clearTimeout(retry);
        // A complete exchange keeps its connection for the next request; otherwise the connection
        // is
        // closed, which stops Ollama.
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
    // The edge sends only these headers, but the box's own side must check them.
    for (const [name, value] of headers)
      if (FORWARDED_HEADERS.has(name)) request.setHeader(name, fieldValue(value));
    const length = headers.find(([name]) => name === "content-length")?.[1];
    const bytes = body?.reduce((sum, part) => sum + part.length, 0) ?? 0;
    if (body !== null && (bytes > 0 || method === "POST"))
      request.setHeader("content-length", bytes);
    else if (length !== undefined && /^\d+$/.test(length))
      request.setHeader("content-length", length);
    return request;
  }
}

/** Sends the head and the parts in one go, without a copy. */
function sendWhole(request: http.ClientRequest, parts: readonly Uint8Array[]): void {
  request.cork();
  for (const part of parts) request.write(part);
  request.end();
  request.uncork();
}

/**
 * Encodes a header value for Node: one character per UTF-8 byte, without control characters, which
 * throw.
 */
const fieldValue = (text: string): string =>
  Buffer.from(text)
    .toString("latin1")
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, "");

/** Returns the answer's headers without those of the local connection. */
function answerHeaders(raw: string[]): Headers {
  const headers: Headers = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase();
    if (!HOP_BY_HOP_HEADERS.has(name)) headers.push([name, raw[i + 1] ?? ""]);
  }
  return headers;
}
