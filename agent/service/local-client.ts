/**
 * The client with which `OllamaService` calls its own listener: like any other local caller, so
 * that its calls are recorded like theirs.
 */
import * as z from "zod";
import { OllamaError } from "../errors.ts";
import { OllamaClient } from "../request/ollama.ts";
import { AGENT_VERSION } from "../version.ts";

const ErrorAnswer = z.object({ error: z.string() });

export class LocalClient {
  readonly #ollama: OllamaClient;
  readonly #open = new Set<Promise<unknown>>();

  /** @param url  URL of the listener */
  constructor(url: string) {
    this.#ollama = new OllamaClient(new URL(url));
  }

  /**
   * Sends one request and returns the whole answer, parsed as JSON. Has no timeout: a cold load of
   * a model takes minutes.
   * @throws {OllamaError}
   */
  async call(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
    const { status, text } = await this.#tracked(
      this.#send(method, path, body === undefined ? "" : JSON.stringify(body)),
    );
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new OllamaError(status, `Ollama's answer to ${path} is not JSON`);
    }
    if (status < 400) return value;
    const failure = ErrorAnswer.safeParse(value);
    throw new OllamaError(
      status,
      failure.success ? failure.data.error : `Ollama answered ${path} with HTTP ${status}`,
    );
  }

  /**
   * Waits for the last answers, which may still be in transit, and closes. Drain the listener
   * first.
   */
  async close(): Promise<void> {
    await Promise.allSettled(this.#open);
    this.#ollama.close();
  }

  async #tracked<T>(call: Promise<T>): Promise<T> {
    this.#open.add(call);
    try {
      return await call;
    } finally {
      this.#open.delete(call);
    }
  }

  #send(method: string, path: string, body: string): Promise<{ status: number; text: string }> {
    const chunks: Buffer[] = [];
    let status = 0;
    return new Promise((resolve, reject) => {
      this.#ollama.send({
        method,
        path,
        headers: [
          ["content-type", "application/json"],
          ["user-agent", `ollama-edge-serve/${AGENT_VERSION}`],
        ],
        body: [Buffer.from(body)],
        onHead: (answerStatus) => {
          status = answerStatus;
        },
        onData: (chunk) => chunks.push(chunk),
        onEnd: () => resolve({ status, text: Buffer.concat(chunks).toString("utf8") }),
        onError: (error) =>
          reject(new OllamaError(502, `The connection broke during ${path}: ${error.message}`)),
      });
    });
  }
}
