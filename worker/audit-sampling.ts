/**
 * Samples what people can cause as often as they like: refused changes and sign-ins. So nobody can fill the
 * audit log, or wake its object with each call. Its memory is bounded. Pure.
 */

/** One of a kind is noted in this time, and stands for those before it. */
export const SAMPLED_EVERY_MS = 60_000;
const KINDS_MAX = 1_000;

export class AuditSampling {
  readonly #seen = new Map<string, { notedMs: number; since: number }>();

  get size(): number {
    return this.#seen.size;
  }

  /** Counts one. @returns for how many an entry stands now; null if none is due */
  count(kind: string, nowMs: number): number | null {
    const seen = this.#seen.get(kind);
    if (seen !== undefined && nowMs - seen.notedMs < SAMPLED_EVERY_MS) {
      seen.since++;
      return null;
    }
    this.#seen.delete(kind); // so that the oldest is first
    this.#seen.set(kind, { notedMs: nowMs, since: 0 });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > KINDS_MAX && oldest !== undefined) this.#seen.delete(oldest);
    return 1 + (seen?.since ?? 0);
  }
}
