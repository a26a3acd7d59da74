/**
 * Sends a request with a short body through undici, at a third of the CPU of `node:http`.
 *
 * Its bytes pass unchanged: undici's dispatcher neither decompresses nor follows redirects.
 */
import type { Dispatcher } from "undici";
import type { Headers } from "../../protocol/messages.ts";
import type { KeptConnection, KeptConnections } from "./kept-connections.ts";
import type { LocalExchange, LocalRequest } from "./ollama.ts";
import type { OllamaPatience } from "./patience.ts";
import { Retries } from "./retries.ts";

/** Larger bodies are not copied into one. */
const SHORT_BYTES_MAX = 256 * 1024;

const BROKE_OFF = "Ollama closed the connection in the middle of its answer";

/** Codes of errors of a connection that was closed by the other end. */
const CLOSED = new Set(["ECONNRESET", "UND_ERR_SOCKET"]);

/** Returns the body in one piece; null if it is not whole or not short. */
export function shortBodyOf({ body }: LocalRequest): Uint8Array | null {
  if (body === null) return null;
  const bytes = body.reduce((sum, part) => sum + part.length, 0);
  if (bytes > SHORT_BYTES_MAX) return null;
  return body.length === 1 && body[0] !== undefined ? body[0] : Buffer.concat(body);
}

export type ShortRequest = Omit<LocalRequest, "body" | "headers"> & {
  headers: string[];
  body: Uint8Array;
};

export function sendShort(
  connections: KeptConnections,
  patience: OllamaPatience,
  answerHeaders: (raw: string[]) => Headers,
  local: ShortRequest,
): LocalExchange {
  const retries = new Retries(patience, local.isPatient ?? true);
  let isOver = false;
  let isRead = false;
  let hadHead = false;
  let isPaused = false;
  let connection: KeptConnection | null = null;
  let controller: Dispatcher.DispatchController | null = null;
  let retry: NodeJS.Timeout | null = null;
  const failed = (error: NodeJS.ErrnoException, on: KeptConnection) => {
    on.destroy();
    if (isOver) return;
    const isUnserved = !hadHead && on.isReused && CLOSED.has(error.code ?? "");
    const next = hadHead ? error : retries.after(error, { isUnserved, isWhole: true });
    if (next === 0) return attempt();
    if (typeof next === "number") {
      retry = setTimeout(attempt, next);
      return;
    }
    isOver = true;
    local.onError(hadHead ? new Error(BROKE_OFF, { cause: error }) : next, hadHead);
  };
  const attempt = () => {
    const on = connections.take();
    connection = on;
    const { method, path, headers, body } = local;
    const whole = body.length > 0 ? body : null;
    on.client.dispatch(
      { method: method as Dispatcher.HttpMethod, path, headers, body: whole },
      {
        onRequestStart: (started) => {
          controller = started;
        },
        onResponseStart: ({ rawHeaders }, status) => {
          // Informational answers come before the answer.
          if (status < 200 || isOver) return;
          hadHead = true;
          patience.answered();
          local.onHead(status, answerHeaders(textsOf(rawHeaders as Buffer[])));
          if (isPaused) controller?.pause();
        },
        onResponseData: (_, chunk) => {
          if (!isOver) local.onData(chunk);
        },
        onResponseEnd: () => {
          isRead = true;
          connections.give(on);
          if (isOver) return;
          isOver = true;
          local.onEnd();
        },
        onResponseError: (_, error) => failed(error, on),
      },
    );
  };
  attempt();
  return {
    write: () => true,
    onDrain: () => {},
    end: () => {},
    pause: () => {
      isPaused = true;
      controller?.pause();
    },
    resume: () => {
      isPaused = false;
      controller?.resume();
    },
    abort: () => {
      isOver = true;
      if (retry !== null) clearTimeout(retry);
      // A complete exchange keeps its connection; otherwise it is closed, which stops Ollama.
      if (!isRead) connection?.destroy();
    },
  };
}

/** One character per byte, as `node:http` returns them. */
const textsOf = (raw: readonly Buffer[]): string[] => raw.map((each) => each.toString("latin1"));
