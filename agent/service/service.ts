/**
 * `OllamaService`: an instrumented Ollama endpoint inside a program.
 *
 *     await using service = new OllamaService(new NetworkConfig({ port: 11500 }));
 *     const { response } = await service.generate("llama3.2", "Hello, world!");
 *
 * It serves callers on this machine or network. Their requests, and the program's own, are recorded
 * at the edge.
 */
import * as z from "zod";
import { OllamaError } from "../errors.ts";
import { urlOf } from "../listen/listen-address.ts";
import { type Log, makeLog } from "../log.ts";
import { installedOf, versionOf } from "../readings/inventory-parse.ts";
import { type Running, startBox, startEndpoint } from "../start.ts";
import { LocalClient } from "./local-client.ts";
import type { NetworkConfig } from "./network-config.ts";

export type ServiceOptions = {
  /**
   * Receives the events of the service. Default: writes warnings and errors to stderr, one a line.
   */
  log?: Log | undefined;
};

/** The result of a health check. */
export type ServiceHealth = {
  healthy: boolean;
  /** Why Ollama is not healthy, for people; null if it is. */
  reason: string | null;
  /** E.g. `0.15.6`; null if Ollama is not healthy. */
  ollamaVersion: string | null;
};

/** A model on disk. `sizeBytes` is null if Ollama does not report it. */
export type ServedModel = { name: string; sizeBytes: number | null };

/**
 * Fields of Ollama's `/api/generate` other than model, prompt and stream.
 * @example { system: "Be brief.", options: { temperature: 0 } }
 */
export type GenerateOptions = {
  system?: string;
  images?: string[];
  format?: "json" | object;
  think?: boolean | string;
  keep_alive?: string | number;
  options?: Record<string, unknown>;
  [field: string]: unknown;
};

/**
 * Ollama's answer, unchanged. Durations are in nanoseconds; fields that Ollama left out are
 * undefined.
 * @see https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-completion
 */
export type Generated = {
  model: string;
  response: string;
  done: boolean;
  done_reason?: string | undefined;
  thinking?: string | undefined;
  total_duration?: number | undefined;
  load_duration?: number | undefined;
  prompt_eval_count?: number | undefined;
  prompt_eval_duration?: number | undefined;
  eval_count?: number | undefined;
  eval_duration?: number | undefined;
  [field: string]: unknown;
};

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);
const GeneratedAnswer: z.ZodType<Generated> = z.looseObject({
  model: z.string(),
  response: z.string(),
  done: z.boolean(),
  done_reason: text,
  thinking: text,
  total_duration: number,
  load_duration: number,
  prompt_eval_count: number,
  prompt_eval_duration: number,
  eval_count: number,
  eval_duration: number,
});

type Started = { running: Running; client: LocalClient };

/**
 * An Ollama endpoint that listens on the address of its config and records every request at the
 * edge. Every method except {@link stop} starts it if necessary. Dispose of it with `await using`
 * or `stop`.
 */
export class OllamaService implements AsyncDisposable {
  readonly #config: NetworkConfig;
  readonly #log: Log;
  #started: Promise<Started> | null = null;
  #stopped: Promise<void> | null = null;
  #url: string | null = null;

  constructor(config: NetworkConfig, { log = warningsToStderr() }: ServiceOptions = {}) {
    this.#config = config;
    this.#log = log;
  }

  /** The URL for callers, e.g. `http://127.0.0.1:11500`; null while it does not listen. */
  get url(): string | null {
    return this.#url;
  }

  /**
   * Starts listening. Does not wait for the edge: while the edge is unreachable the service keeps
   * dialling and records wait on disk. A second call does nothing.
   * @throws {ListenError} if the address is in use, not allowed, or not on this machine
   * @throws {StateLockError} if the state folder is in use or not writable
   */
  async start(): Promise<void> {
    await this.#ready();
  }

  /**
   * Finishes open calls (up to 25 s), sends the last records, and stops permanently. A second call
   * does nothing.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Checks that the Ollama behind the service answers. Resolves, with a reason, even if it does
   * not.
   * @throws {ListenError | StateLockError} if the service cannot start
   */
  async healthCheck(): Promise<ServiceHealth> {
    const { client } = await this.#ready();
    try {
      const ollamaVersion = versionOf(await client.call("GET", "/api/version"));
      if (ollamaVersion !== null) return { healthy: true, reason: null, ollamaVersion };
      return {
        healthy: false,
        reason: "the answer to /api/version did not come from an Ollama",
        ollamaVersion,
      };
    } catch (error) {
      if (!(error instanceof OllamaError)) throw error;
      return { healthy: false, reason: error.message, ollamaVersion: null };
    }
  }

  /**
   * Lists the models on disk. Cloud models are left out.
   * @throws {OllamaError} if Ollama cannot be reached or answers with an error
   */
  async getModels(): Promise<ServedModel[]> {
    const { client } = await this.#ready();
    const models = installedOf(await client.call("GET", "/api/tags"));
    if (models === null)
      throw new OllamaError(200, "Ollama's answer to /api/tags is not a list of models");
    return models.map(({ name, size_bytes }) => ({ name, sizeBytes: size_bytes }));
  }

  /**
   * Generates one whole answer. Has no timeout: loading a large model can take minutes.
   * @throws {OllamaError} with the HTTP status, e.g. 404 if the model is not installed
   */
  async generate(model: string, prompt: string, options: GenerateOptions = {}): Promise<Generated> {
    const { client } = await this.#ready();
    const answer = GeneratedAnswer.safeParse(
      await client.call("POST", "/api/generate", { ...options, model, prompt, stream: false }),
    );
    if (answer.success) return answer.data;
    throw new OllamaError(
      200,
      `Ollama's answer to /api/generate is not valid: ${z.prettifyError(answer.error)}`,
    );
  }

  /** Starts the service once. After a failed start the next call tries again. */
  #ready(): Promise<Started> {
    if (this.#stopped !== null)
      return Promise.reject(new Error("This OllamaService was stopped. Create a new one."));
    this.#started ??= this.#launch().catch((error: unknown) => {
      this.#started = null;
      throw error;
    });
    return this.#started;
  }

  async #launch(): Promise<Started> {
    const { host, port, agent, served, exporterType, metricsExportInterval } = this.#config;
    const listen = { host, port };
    const running =
      agent === null
        ? await startEndpoint(served, listen, this.#log)
        : await startBox(
            agent,
            { listen, exporterType, recordsDelayMs: metricsExportInterval * 1_000 },
            this.#log,
          );
    const url = urlOf(running.address ?? listen);
    this.#url = url;
    return { running, client: new LocalClient(url) };
  }

  async #end(): Promise<void> {
    const started = await this.#started?.catch(() => null);
    this.#url = null;
    if (started === null || started === undefined) return;
    await started.running.drain();
    await started.client.close();
  }
}

/** Logs to stderr: stdout belongs to the program that uses the library. */
function warningsToStderr(): Log {
  const log = makeLog({ json: !process.stderr.isTTY, write: (line) => process.stderr.write(line) });
  return (level, event, fields) => level !== "info" && log(level, event, fields);
}
