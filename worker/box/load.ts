/**
 * The load of a box as its agent last reported it. In memory only: after a restart, the agent
 * reports it again.
 */
import type { Inventory, ModelReport, OpenRequest, Readings } from "../../protocol/inventory.ts";
import { READINGS_QUEUED_MS, READINGS_WATCHED_MS } from "../../protocol/limits.ts";

/** Older readings do not describe the present. */
const FRESH_MS = 2 * READINGS_WATCHED_MS + 1_000;

/** The requests that came past the edge are counted for this long: a report more, and some slack. */
const LOCAL_MS = READINGS_QUEUED_MS + 5_000;

/** Interval between two WATCH frames: one of them keeps the agent at the quick pace for longer. */
const WATCH_EVERY_MS = 5_000;

/** How long a reader waits for fresh readings. */
const READINGS_WAIT_MS = 400;

/**
 * `local`: open calls to the agent's own listener. `queued`: requests that wait for Ollama, from
 * anywhere. `requests`: the oldest open requests.
 */
export type Load = { local: number; queued: number; requests: OpenRequest[] };

/**
 * The load of one model on a box. `open`: its open requests, however they came. `slots`: those that
 * Ollama works on at once; null if unknown. `modelsAt`: when the models of the box last changed, by its
 * agent's clock; absent while that is unknown.
 */
export type ModelLoad = { open: number; slots: number | null; modelsAt?: string };

/** A Box as it is now. `queueDepth` is reported by the agent; null if its report is too old. */
export type RelayStatus = {
  isUp: boolean;
  isDraining: boolean;
  inFlight: number;
  queueDepth: number | null;
  requests: OpenRequest[];
};

export class BoxLoad {
  #reported: (Load & { atMs: number }) | null = null;
  #serving: { models: readonly ModelReport[]; atMs: number } = { models: [], atMs: 0 };
  #awaiting: (() => void)[] = [];
  /** The models in memory and on disk, and when the agent first reported them. */
  #models: { key: string; at: string } | null = null;
  #watchedMs = 0;

  /** Returns whether to send WATCH now, and notes it. */
  takeWatch(nowMs: number): boolean {
    if (nowMs - this.#watchedMs <= WATCH_EVERY_MS) return false;
    this.#watchedMs = nowMs;
    return true;
  }

  report(readings: Readings, nowMs: number): void {
    const { local_in_flight, queued, requests, serving, inventory } = readings;
    const key = modelsKey(inventory);
    if (this.#models?.key !== key) this.#models = { key, at: inventory.at };
    this.#serving = { models: serving ?? [], atMs: nowMs };
    this.#reported = { local: local_in_flight, queued, requests, atMs: nowMs };
    for (const wake of this.#awaiting.splice(0)) wake();
  }

  /**
   * Returns the part of a model's load that only its agent knows. `slots` is null if the agent has not
   * reported the model.
   * @param model  with its tag
   */
  of(model: string, nowMs: number): Omit<ModelLoad, "open"> & { local: number } {
    const { models, atMs } = this.#serving;
    const served = models.find((each) => each.model === model);
    const isFresh = nowMs - atMs < LOCAL_MS;
    const local = isFresh ? (served?.local ?? 0) : 0;
    const slots = served?.slots ?? null;
    return { local, slots, ...(this.#models && { modelsAt: this.#models.at }) };
  }

  /** Null if it is too old. */
  at(nowMs: number): Load | null {
    const isFresh = this.#reported !== null && nowMs - this.#reported.atMs < FRESH_MS;
    return isFresh ? this.#reported : null;
  }

  /** Resolves once the readings are fresh, or after a moment. */
  async untilFresh(now: () => number, wait: (ms: number) => Promise<void>): Promise<void> {
    if (this.at(now()) !== null) return;
    const reported = new Promise<void>((resolve) => this.#awaiting.push(resolve));
    await Promise.race([reported, wait(READINGS_WAIT_MS)]);
  }
}

/** Differs for other models in memory or on disk, and if Ollama comes or goes. */
const modelsKey = ({ reachable, loaded, models }: Inventory): string =>
  JSON.stringify([
    reachable,
    loaded.map(({ name, context_length }) => [name, context_length]),
    models.map(({ name, digest }) => [name, digest]),
  ]);
