/**
 * Runs a bench: loads the model, warms it up, and measures a few lengths of the prompt several times.
 *
 * Callers go first. Each request begins only when nobody else has used the box for a moment. If
 * somebody comes during a request, the request is stopped at once, so that the caller does not wait
 * for it, and repeated later. A box that is not idle for `wait_s` in sum ends the bench.
 */

import type { BenchPoint, BenchProgress, BenchRequest, BenchResult } from "../../protocol/bench.ts";
import { DAY_MS } from "../../protocol/day.ts";
import {
  type InstalledModel,
  type Inventory,
  type LoadedModel,
  withTag,
} from "../../protocol/inventory.ts";
import { roundMs } from "../measure/phases.ts";
import { AGENT_VERSION } from "../version.ts";
import type { BenchPrompt, Generation } from "./bench-requests.ts";
import { pointOf, type Repeat } from "./figures.ts";
import { fitsContext, wordsOf } from "./prompts.ts";

/** A bench that cannot go on. The message is for people. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}

export type BenchShell = {
  box: string;
  /** Returns who else uses the box, for people; null if nobody does. */
  busyWith(): string | null;
  /** Reads the models of Ollama now. */
  inventory(): Promise<Inventory>;
  generate(model: string, prompt: BenchPrompt, signal: AbortSignal): Promise<Generation>;
  gpus(): Pick<BenchResult, "gpus" | "driver_version">;
  /** Monotonic ms. */
  now(): number;
  /** Wall clock, unix ms. */
  wallClock(): number;
  random(): number;
  /** Rejects if the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
};

/**
 * The power of a GPU settles in this time after a request, and a caller's next request often
 * follows.
 */
const IDLE_FOR_MS = 300;
const WATCH_EVERY_MS = 50;
/** No model takes longer than this for a bench that anybody waits for. */
export const BENCH_MS_MAX = 1_800_000;
/** Ollama unloads a model within seconds. */
const UNLOADED_WITHIN_MS = 30_000;

const WARM_UP_WORDS = 100;
const WARM_UP_TOKENS = 16;
/** The context of an Ollama that does not report it: its smallest default. */
const CONTEXT_UNKNOWN = 2_048;

const MS_PER_SECOND = 1_000;

/** @throws {BenchError}; the reason of the signal if it is aborted */
export async function runBench(
  request: BenchRequest,
  shell: BenchShell,
  signal: AbortSignal,
  report: (progress: BenchProgress) => void,
): Promise<BenchResult> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(BENCH_MS_MAX)]);
  return new Bench(request, shell, limit, report).run().catch((error: unknown) => {
    signal.throwIfAborted();
    if (limit.aborted)
      throw new BenchError(
        `The bench took longer than ${BENCH_MS_MAX / 60_000} minutes. Use fewer contexts, repeats or output tokens.`,
      );
    throw error;
  });
}

class Bench {
  readonly #request: BenchRequest;
  readonly #shell: BenchShell;
  readonly #signal: AbortSignal;
  readonly #report: (progress: BenchProgress) => void;
  #waitedMs = 0;
  #discarded = 0;
  #done = 0;
  #of: number;
  #tokensPerWord = 1;

  constructor(
    request: BenchRequest,
    shell: BenchShell,
    signal: AbortSignal,
    report: (progress: BenchProgress) => void,
  ) {
    this.#request = request;
    this.#shell = shell;
    this.#signal = signal;
    this.#report = report;
    this.#of = 1 + request.contexts.length * (1 + request.repeats);
  }

  async run(): Promise<BenchResult> {
    const { model, contexts, output_tokens, reload } = this.#request;
    const { now, wallClock, inventory } = this.#shell;
    const started_at = new Date(wallClock()).toISOString();
    const startMs = now();
    const before = loadedIn(await inventory(), model);
    if (reload && before !== null) await this.#unload();
    const keepAlive = keepAliveOf(reload ? before : null, wallClock());
    const load_ms = await this.#load(keepAlive, before === null || reload);
    const listed = await inventory();
    const loaded = loadedIn(listed, model);
    const contextLength = loaded?.context_length ?? CONTEXT_UNKNOWN;
    const fits = (context: number) => fitsContext(context, output_tokens, contextLength);
    const measured = contexts.filter(fits);
    if (measured.length === 0)
      throw new BenchError(
        `None of the contexts ${contexts.join(", ")} fits: ${model} is loaded with a context of ${contextLength} tokens.`,
      );
    this.#of = 1 + measured.length * (1 + this.#request.repeats);
    const points: BenchPoint[] = [];
    for (const context of measured) points.push(await this.#measure(context));
    const installed = installedIn(listed, model);
    return {
      model,
      started_at,
      duration_ms: roundMs(now() - startMs),
      waited_ms: roundMs(this.#waitedMs),
      output_tokens,
      load_ms,
      points,
      skipped: contexts.filter((context) => !fits(context)),
      discarded: this.#discarded,
      context_length: loaded?.context_length ?? null,
      gpu_share: loaded === null ? null : gpuShareOf(loaded),
      digest: installed?.digest ?? null,
      quantization: installed?.quantization ?? null,
      parameter_size: installed?.parameter_size ?? null,
      ollama_version: listed.ollama_version,
      agent_version: AGENT_VERSION,
      ...this.#shell.gpus(),
    };
  }

  /**
   * Loads the model and learns its tokens. Returns the time of the load if the model was not in
   * memory.
   */
  async #load(keepAlive: number | undefined, isCold: boolean): Promise<number | null> {
    const { measured } = await this.#ask("load", null, WARM_UP_WORDS, WARM_UP_TOKENS, keepAlive);
    this.#learn(WARM_UP_WORDS, measured.prompt_tokens);
    return isCold ? measured.load_ms : null;
  }

  async #measure(context: number): Promise<BenchPoint> {
    const { output_tokens, repeats } = this.#request;
    const words = () => Math.max(1, Math.round(context / this.#tokensPerWord));
    const count = words();
    const { measured } = await this.#ask("measure", context, count, WARM_UP_TOKENS);
    this.#learn(count, measured.prompt_tokens);
    const all: Repeat[] = [];
    while (all.length < repeats)
      all.push(await this.#ask("measure", context, words(), output_tokens));
    return pointOf(context, all);
  }

  #learn(words: number, tokens: number | null): void {
    if (tokens !== null && tokens > 0) this.#tokensPerWord = tokens / words;
  }

  /** Unloads the model, and waits until Ollama no longer lists it. */
  async #unload(): Promise<void> {
    const { now, inventory, generate } = this.#shell;
    const { model } = this.#request;
    await this.#untilIdle();
    const unloaded = await generate(model, { prompt: "", keep_alive: 0 }, this.#signal);
    this.#signal.throwIfAborted();
    if (!unloaded.ok) throw new BenchError(`${model} could not be unloaded: ${unloaded.message}`);
    const lastMs = now() + UNLOADED_WITHIN_MS;
    while (loadedIn(await inventory(), model) !== null) {
      if (now() > lastMs)
        throw new BenchError(`Ollama did not unload ${model} in ${UNLOADED_WITHIN_MS / 1_000} s.`);
      await this.#shell.sleep(WATCH_EVERY_MS, this.#signal);
    }
  }

  /** Sends one request that nobody disturbs. */
  async #ask(
    step: "load" | "measure",
    context: number | null,
    words: number,
    outputTokens: number,
    keepAlive?: number,
  ): Promise<Extract<Generation, { ok: true }>> {
    const { generate, random } = this.#shell;
    const options = { num_predict: outputTokens, temperature: 0 };
    for (;;) {
      await this.#untilIdle();
      this.#report({ state: "running", step, context, done: this.#done, of: this.#of });
      const prompt = {
        prompt: wordsOf(words, random),
        options,
        ...(keepAlive !== undefined && { keep_alive: keepAlive }),
      };
      const disturbed = new AbortController();
      const watch = setInterval(() => {
        if (this.#shell.busyWith() !== null) disturbed.abort();
      }, WATCH_EVERY_MS);
      const generation = await generate(
        this.#request.model,
        prompt,
        AbortSignal.any([this.#signal, disturbed.signal]),
      ).finally(() => clearInterval(watch));
      this.#signal.throwIfAborted();
      if (disturbed.signal.aborted) {
        this.#discarded++;
        continue;
      }
      if (!generation.ok) throw new BenchError(`Ollama: ${generation.message}`);
      this.#done++;
      return generation;
    }
  }

  /**
   * Waits until nobody else has used the box for a moment.
   * @throws {BenchError} after `wait_s` in sum
   */
  async #untilIdle(): Promise<void> {
    const { busyWith, box, now } = this.#shell;
    const waitMs = MS_PER_SECOND * this.#request.wait_s;
    let idleSinceMs: number | null = null;
    let shown: string | null = null;
    for (;;) {
      const busy = busyWith();
      const nowMs = now();
      if (busy === null) idleSinceMs ??= nowMs;
      else idleSinceMs = null;
      if (idleSinceMs !== null && nowMs - idleSinceMs >= IDLE_FOR_MS) return;
      const leftMs = Math.max(0, waitMs - this.#waitedMs);
      if (busy !== null && leftMs === 0)
        throw new BenchError(
          `Box ${box} was not idle for ${this.#request.wait_s} s: ${busy}. Try again later, or wait longer with wait_s.`,
        );
      if (busy !== null && busy !== shown)
        this.#report({ state: "waiting", for: busy, left_ms: Math.round(leftMs) });
      shown = busy;
      await this.#shell.sleep(WATCH_EVERY_MS, this.#signal);
      if (busy !== null) this.#waitedMs += now() - nowMs;
    }
  }
}

/** Compares names with their tags: `a` and `a:latest` are the same model. */
const named = <Model extends { name: string }>(
  models: readonly Model[],
  model: string,
): Model | null => models.find(({ name }) => withTag(name) === withTag(model)) ?? null;

export const installedIn = ({ models }: Inventory, model: string): InstalledModel | null =>
  named(models, model);
const loadedIn = ({ loaded }: Inventory, model: string): LoadedModel | null => named(loaded, model);

const gpuShareOf = ({ size_bytes, size_vram_bytes }: LoadedModel): number | null =>
  size_bytes === null || size_vram_bytes === null || size_bytes === 0
    ? null
    : Math.min(1, size_vram_bytes / size_bytes);

/** Ollama shows a model that stays in memory with a time far in the future. */
const FOREVER_MS = 365 * DAY_MS;
const FOREVER = -1;

/** A model that is loaded again stays for as long as before, if that was forever. */
const keepAliveOf = (unloaded: LoadedModel | null, nowMs: number): number | undefined =>
  Date.parse(unloaded?.expires_at ?? "") > nowMs + FOREVER_MS ? FOREVER : undefined;
