/**
 * `OllamaService`: an instrumented Ollama endpoint inside a program.
 *
 *     await using service = new OllamaService(new NetworkConfig({ port: 11500 }));
 *     const { response } = await service.generate("llama3.2", "Hello, world!");
 *
 * It listens for the callers of this machine (or network), and what they call, like what the
 * program calls itself, is recorded at the edge.
 */
import { z } from "zod";
import { OllamaError } from "../errors.ts";
import { urlOf } from "../listen/listen-address.ts";
import { type Log, makeLog } from "../log.ts";
import { installedOf, versionOf } from "../readings/inventory-parse.ts";
import { type Running, startBox, startEndpoint } from "../start.ts";
import { LocalClient } from "./local-client.ts";
import type { NetworkConfig } from "./network-config.ts";

export type ServiceOptions = {
  /** Gets the events of the service. Default: warnings and errors, one line each on stderr. */
  log?: Log | undefined;
};

/** `reason`: why it is not healthy, in words; null when it is. */
export type ServiceHealth = {
  healthy: boolean;
  reason: string | null;
  ollamaVersion: string | null;
};

/** A model on disk. `null` where Ollama does not say. */
export type ServedModel = { name: string; sizeBytes: number | null };

/** Fields of Ollama's `/api/generate` besides model, prompt and stream, e.g. `{ system: "Be brief.", options: { temperature: 0 } }`. */
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
 * Ollama's answer, as it came. Durations are in nanoseconds; what Ollama left out is undefined.
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

  /** Where callers reach it, e.g. `http://127.0.0.1:11500`; null while it does not listen. */
  get url(): string | null {
    return this.#url;
  }

  /**
   * Resolves when it listens. Does not wait for the edge: one that is away is dialled again, and
   * records wait on disk. A second call does nothing.
   * @throws {ListenError} when nothing can listen there; {StateLockError} when the state folder is in use
   */
  async start(): Promise<void> {
    await this.#ready();
  }

  /** Finishes open calls, gives the edge what it can take in a moment, and ends. For good; a second call does nothing. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Whether Ollama answers behind it. An Ollama that does not is an answer, not a throw. */
  async healthCheck(): Promise<ServiceHealth> {
    const { client } = await this.#ready();
    try {
      const ollamaVersion = versionOf(await client.call("GET", "/api/version"));
      if (ollamaVersion !== null) return { healthy: true, reason: null, ollamaVersion };
      return { healthy: false, reason: "what answers is no Ollama", ollamaVersion };
    } catch (error) {
      if (!(error instanceof OllamaError)) throw error;
      return { healthy: false, reason: error.message, ollamaVersion: null };
    }
  }

  /**
   * The models on disk; cloud models are not among them.
   * @throws {OllamaError}
   */
  async getModels(): Promise<ServedModel[]> {
    const { client } = await this.#ready();
    const models = installedOf(await client.call("GET", "/api/tags"));
    if (models === null) throw new OllamaError(200, "the answer to /api/tags is no list of models");
    return models.map(({ name, size_bytes }) => ({ name, sizeBytes: size_bytes }));
  }

  /**
   * One whole answer.
   * @throws {OllamaError} e.g. status 404 when the model is not installed
   */
  async generate(model: string, prompt: string, options: GenerateOptions = {}): Promise<Generated> {
    const { client } = await this.#ready();
    const answer = GeneratedAnswer.safeParse(
      await client.call("POST", "/api/generate", { ...options, model, prompt, stream: false }),
    );
    if (answer.success) return answer.data;
    throw new OllamaError(
      200,
      `the answer to /api/generate is none: ${z.prettifyError(answer.error)}`,
    );
  }

  /** Starts it where nobody has. One that could not start may try again. */
  #ready(): Promise<Started> {
    if (this.#stopped !== null)
      return Promise.reject(new Error("this OllamaService was stopped: make a new one"));
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

/** A library leaves stdout to its program. */
function warningsToStderr(): Log {
  const log = makeLog({ json: !process.stderr.isTTY, write: (line) => process.stderr.write(line) });
  return (level, event, fields) => level !== "info" && log(level, event, fields);
}
