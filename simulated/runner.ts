/**
 * The models in the simulated GPU's memory and the requests that may use them: loads, parallel
 * slots, expiry.
 *
 * The rules are those of Ollama's scheduler: loads are serial, a loading model is not listed, a
 * load is cancelled if its caller disconnects, each model has a fixed number of slots and an
 * unlimited queue before them, and a model is unloaded some time after its last use.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatedModel } from "./models.ts";

const MODELS_LOADED_MAX = 3;

/** Time for which the number of active requests is remembered. */
const ACTIVITY_MS = 5_000;

/** Go's value for "never": a few centuries from now. */
const NEVER = new Date("2318-03-01T00:00:00Z");

type Loaded = {
  model: SimulatedModel;
  active: number;
  waiting: (() => void)[];
  expiresAt: Date;
  expiry: NodeJS.Timeout | null;
};

/** A slot of a loaded model. Release it exactly once. */
export type Slot = { release(): void };

export type RunnerOptions = {
  /** `OLLAMA_NUM_PARALLEL`. */
  slotsPerModel: number;
  /** Simulated time to read one GB of weights, in milliseconds. */
  loadMsPerGb: number;
};

export class Runner {
  readonly #options: RunnerOptions;
  readonly #loaded = new Map<string, Loaded>();
  #loading: Promise<void> = Promise.resolve();
  /** Number of active requests and when it changed, oldest first. Never empty. */
  #activity: { atMs: number; active: number }[] = [{ atMs: 0, active: 0 }];

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Loads the model. Concurrent loads wait for each other. @throws if the signal aborts */
  async load(model: SimulatedModel, signal: AbortSignal): Promise<void> {
    if (this.#loaded.has(model.name)) return;
    const before = this.#loading;
    const mine = (async () => {
      await before;
      signal.throwIfAborted();
      if (this.#loaded.has(model.name)) return;
      await sleep((model.sizeBytes / 1e9) * this.#options.loadMsPerGb, undefined, { signal });
      this.#makeRoom();
      this.#loaded.set(model.name, {
        model,
        active: 0,
        waiting: [],
        expiresAt: NEVER,
        expiry: null,
      });
    })();
    this.#loading = mine.catch(() => {});
    await mine;
  }

  /**
   * Waits for a slot of a model that was loaded before.
   * @param keepMs  time that the model stays after this use; may be infinite, and 0 unloads it
   * @throws if the signal aborts
   */
  async acquire(model: SimulatedModel, keepMs: number, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const entry = this.#loaded.get(model.name) ?? this.#reinsert(model);
    if (entry.active >= this.#options.slotsPerModel) await turnIn(entry.waiting, signal);
    entry.active++;
    this.#noteActivity();
    if (entry.expiry !== null) clearTimeout(entry.expiry);
    entry.expiresAt = NEVER;
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        entry.active--;
        this.#noteActivity();
        entry.waiting.shift()?.();
        this.#expireIn(entry, keepMs);
      },
    };
  }

  unload(name: string): void {
    const entry = this.#loaded.get(name);
    if (entry?.expiry) clearTimeout(entry.expiry);
    this.#loaded.delete(name);
    this.#noteActivity();
  }

  list(): { model: SimulatedModel; expiresAt: Date }[] {
    return [...this.#loaded.values()].map(({ model, expiresAt }) => ({ model, expiresAt }));
  }

  /** Requests that are generating now. */
  get active(): number {
    let sum = 0;
    for (const { active } of this.#loaded.values()) sum += active;
    return sum;
  }

  /** Changes of {@link active} in the last seconds, and the one before them, oldest first. */
  get activity(): readonly { agoMs: number; active: number }[] {
    const nowMs = performance.now();
    return this.#activity.map(({ atMs, active }) => ({ agoMs: nowMs - atMs, active }));
  }

  /** Requests that wait for a slot. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting } of this.#loaded.values()) sum += waiting.length;
    return sum;
  }

  close(): void {
    for (const name of [...this.#loaded.keys()]) this.unload(name);
  }

  #noteActivity(): void {
    const atMs = performance.now();
    const oldest = this.#activity.findLastIndex((change) => change.atMs < atMs - ACTIVITY_MS);
    if (oldest > 0) this.#activity.splice(0, oldest);
    this.#activity.push({ atMs, active: this.active });
  }

  /**
   * It was unloaded between load and acquire. Ollama would load it again; here that costs nothing.
   */
  #reinsert(model: SimulatedModel): Loaded {
    const entry: Loaded = { model, active: 0, waiting: [], expiresAt: NEVER, expiry: null };
    this.#loaded.set(model.name, entry);
    return entry;
  }

  #expireIn(entry: Loaded, keepMs: number): void {
    if (entry.active > 0 || entry.waiting.length > 0) return;
    if (keepMs <= 0) return this.unload(entry.model.name);
    if (!Number.isFinite(keepMs)) return;
    entry.expiresAt = new Date(Date.now() + keepMs);
    if (entry.expiry !== null) clearTimeout(entry.expiry);
    entry.expiry = setTimeout(
      () => this.unload(entry.model.name),
      Math.min(keepMs, 2 ** 31 - 1),
    ).unref();
  }

  #makeRoom(): void {
    if (this.#loaded.size < MODELS_LOADED_MAX) return;
    const idle = [...this.#loaded.values()].filter(
      ({ active, waiting }) => active === 0 && waiting.length === 0,
    );
    const [oldest] = idle.sort((a, b) => a.expiresAt.getTime() - b.expiresAt.getTime());
    if (oldest !== undefined) this.unload(oldest.model.name);
  }
}

function turnIn(queue: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      const at = queue.indexOf(go);
      if (at >= 0) queue.splice(at, 1);
      reject(signal.reason);
    };
    const go = () => {
      signal.removeEventListener("abort", leave);
      resolve();
    };
    signal.addEventListener("abort", leave, { once: true });
    queue.push(go);
  });
}
