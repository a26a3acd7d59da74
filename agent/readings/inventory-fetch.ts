/**
 * One GET request to Ollama's own API: returns JSON, bounded in time and size. Never throws.
 *
 * `Host` is local, because Ollama on loopback answers 403 to any other; `Origin` is left out for
 * the same reason. Each request uses a new connection: a kept one that Ollama closed in the
 * meantime would look like an Ollama that is down.
 */
import http from "node:http";
import https from "node:https";

export type OllamaAnswer =
  | { ok: true; body: unknown }
  | { ok: false; reason: string; timedOut: boolean; isRefused: boolean };

/** Fits thousands of models. A larger answer is not a list of models. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

const HOST = "localhost:11434";

export function getFromOllama(base: URL, path: string, timeoutMs: number): Promise<OllamaAnswer> {
  return new Promise((resolve) => {
    const request = (base.protocol === "https:" ? https : http).request(
      new URL(base.pathname.replace(/\/$/, "") + path, base),
      { agent: false, headers: { host: HOST, accept: "application/json" } },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          chunks.push(chunk);
          if (bytes > BODY_BYTES_MAX)
            finish(refusal(`Ollama's answer to ${path} is larger than ${BODY_BYTES_MAX} bytes`));
        });
        response.on("end", () =>
          finish(answerOf(path, response.statusCode ?? 0, Buffer.concat(chunks))),
        );
        response.on("error", fail);
      },
    );
    const timer = setTimeout(() => {
      finish({
        ok: false,
        reason: `Ollama did not answer ${path} within ${timeoutMs / 1_000} s`,
        timedOut: true,
        isRefused: false,
      });
    }, timeoutMs);
    const finish = (answer: OllamaAnswer) => {
      clearTimeout(timer);
      resolve(answer);
      request.destroy();
    };
    const fail = (error: NodeJS.ErrnoException) =>
      finish(refusal(reasonOf(error, base), error.code === "ECONNREFUSED"));
    // Stays registered: destroying a request may raise one more error.
    request.on("error", fail);
    request.end();
  });
}

function answerOf(path: string, status: number, body: Buffer): OllamaAnswer {
  if (status !== 200) return refusal(`Ollama answered ${path} with HTTP ${status}`);
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return { ok: true, body: parsed };
  } catch {
    return refusal(`Ollama's answer to ${path} is not JSON`);
  }
}

function reasonOf(error: NodeJS.ErrnoException, base: URL): string {
  if (error.code === "ECONNREFUSED")
    return `nothing is listening at ${base.host}; is Ollama running?`;
  if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN")
    return `the host name of ${base.host} cannot be resolved`;
  if (error.code === "ECONNRESET") return `${base.host} closed the connection`;
  return `${base.host} cannot be reached (${error.code ?? error.message})`.slice(0, 500);
}

/** @param isRefused  nothing is listening there */
const refusal = (reason: string, isRefused = false): OllamaAnswer => ({
  ok: false,
  reason,
  timedOut: false,
  isRefused,
});
