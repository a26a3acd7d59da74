/** Distinguishes the first signal to stop from the second, which stops at once. Pure. */

/**
 * npm forwards a Ctrl-C that its program also gets itself. Signals closer together than this count as
 * one.
 */
export const ONE_SIGNAL_MS = 500;

export class StopSignals {
  #firstMs: number | null = null;

  get isStopping(): boolean {
    return this.#firstMs !== null;
  }

  /** @returns the meaning of a signal; null if it repeats the first one */
  take(nowMs: number): "first" | "second" | null {
    if (this.#firstMs === null) {
      this.#firstMs = nowMs;
      return "first";
    }
    return nowMs - this.#firstMs > ONE_SIGNAL_MS ? "second" : null;
  }
}
