/** The state of the tunnel over time, for a person at the box. */
import type { Welcome } from "../../protocol/messages.ts";

export type LinkState = {
  isUp: boolean;
  /** When it came up, or when it was lost; before the first time, when the agent started. Unix ms. */
  sinceMs: number;
  /** The version of the edge at the last welcome; null before the first. */
  edgeVersion: string | null;
  /** Clock of the box minus clock of the edge, when it came up; null before the first time. */
  skewMs: number | null;
  /** Why the last dial failed, or the tunnel was lost; null while it is up. */
  reason: string | null;
};

export class Link {
  readonly #now: () => number;
  #state: LinkState;

  /** @param now  unix ms */
  constructor(now: () => number) {
    this.#now = now;
    this.#state = {
      isUp: false,
      sinceMs: now(),
      edgeVersion: null,
      skewMs: null,
      reason: null,
    };
  }

  get state(): LinkState {
    return this.#state;
  }

  up({ edge_version, now_ms }: Pick<Welcome, "edge_version" | "now_ms">): void {
    const nowMs = this.#now();
    this.#state = {
      isUp: true,
      sinceMs: nowMs,
      edgeVersion: edge_version,
      skewMs: nowMs - now_ms,
      reason: null,
    };
  }

  /** @param reason  null if there is no news about it */
  down(reason: string | null): void {
    const { isUp, sinceMs } = this.#state;
    this.#state = {
      ...this.#state,
      isUp: false,
      sinceMs: isUp ? this.#now() : sinceMs,
      reason: reason ?? this.#state.reason,
    };
  }
}
