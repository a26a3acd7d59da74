/**
 * Sends again and again while the tunnel is up: at once when it comes up, and then after the time
 * that each sending returns. Any sending before that time replaces the planned one.
 */
import type { After } from "./timers.ts";

export class Repeater {
  /** Returns the time until the next sending, ms; null to plan none. */
  readonly #send: () => number | null;
  readonly #after: After;
  #isUp = false;
  #cancel: (() => void) | null = null;

  constructor(send: () => number | null, after: After) {
    this.#send = send;
    this.#after = after;
  }

  up(): void {
    this.#isUp = true;
    this.now();
  }

  down(): void {
    this.#isUp = false;
    this.rest();
  }

  /** Sends if the tunnel is up. */
  now(): void {
    this.rest();
    const ms = this.#isUp ? this.#send() : null;
    if (ms !== null) this.within(ms);
  }

  /** Plans a sending, unless there is one. */
  within(ms: number): void {
    if (this.#isUp) this.#cancel ??= this.#after(ms, () => this.now());
  }

  /** Drops the planned sending. */
  rest(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
