/**
 * Tokens of the last minute, by second: the source of the current tokens per second.
 *
 * Kept in memory only. The Aggregator fills it from the ledger when it wakes.
 */

export const RECENT_SECONDS = 60;

export class RecentTokens {
  readonly #bySecond = new Map<number, number>();

  /** @param finishedMs  end of the request, at which its tokens count */
  add(finishedMs: number, tokens: number): void {
    const second = Math.floor(finishedMs / 1_000);
    this.#bySecond.set(second, (this.#bySecond.get(second) ?? 0) + tokens);
  }

  /** Returns the mean tokens per second over the last minute. */
  rate(nowMs: number): number {
    const now = Math.floor(nowMs / 1_000);
    let tokens = 0;
    for (const [second, count] of this.#bySecond) {
      if (second <= now - RECENT_SECONDS) this.#bySecond.delete(second);
      else tokens += count;
    }
    return tokens / RECENT_SECONDS;
  }
}
