/**
 * The load of a box as its agent last reported it. In memory only: after a restart, the agent
 * reports it again.
 */
import type { OpenRequest, Readings } from "../../protocol/inventory.ts";
import { READINGS_WATCHED_MS } from "../../protocol/limits.ts";

/** Older readings do not describe the present. */
const FRESH_MS = 2 * READINGS_WATCHED_MS + 1_000;

/** Interval between two WATCH frames: one of them keeps the agent at the quick pace for longer. */
const WATCH_EVERY_MS = 5_000;

/** How long a reader waits for fresh readings. */
const READINGS_WAIT_MS = 400;

/**
 * `local`: open calls to the agent's own listener. `queued`: requests that wait for Ollama, from
 * anywhere. `requests`: the oldest open requests.
 */
export type Load = { local: number; queued: number; requests: OpenRequest[] };

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
  #awaiting: (() => void)[] = [];
  #watchedMs = 0;

  /** Returns whether to send WATCH now, and notes it. */
  takeWatch(nowMs: number): boolean {
    if (nowMs - this.#watchedMs <= WATCH_EVERY_MS) return false;
    this.#watchedMs = nowMs;
    return true;
  }

  report({ local_in_flight, queued, requests }: Readings, nowMs: number): void {
    this.#reported = { local: local_in_flight, queued, requests, atMs: nowMs };
    for (const wake of this.#awaiting.splice(0)) wake();
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
