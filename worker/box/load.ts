/** What the agent of a box said last of its load. In memory only: who looks waits a moment for it to be said again. */
import type { OpenRequest, Readings } from "../../protocol/inventory.ts";
import { READINGS_WATCHED_MS } from "../../protocol/limits.ts";

/** Readings older than this say nothing about now. */
const FRESH_MS = 2 * READINGS_WATCHED_MS + 1_000;

/** `local`: calls to the agent's own listener. `queued`: of all that wait for Ollama. `requests`: the oldest of all that are open. */
export type Load = { local: number; queued: number; requests: OpenRequest[] };

export class BoxLoad {
  #said: (Load & { atMs: number }) | null = null;
  #awaiting: (() => void)[] = [];

  /** Null when it is too old. */
  at(nowMs: number): Load | null {
    return this.#said !== null && nowMs - this.#said.atMs < FRESH_MS ? this.#said : null;
  }

  report({ local_in_flight, queued, requests }: Readings, nowMs: number): void {
    this.#said = { local: local_in_flight, queued, requests, atMs: nowMs };
    for (const wake of this.#awaiting.splice(0)) wake();
  }

  /** Resolves when it is said again. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#awaiting.push(resolve));
  }
}
