/**
 * The duties of an object with one alarm: which of them are due, and when the next one is. Pure.
 *
 * A duty that failed waits, longer each time. So it neither holds up the others nor makes the alarm run
 * in a loop.
 */

/** The pause after the first failure. Each further one doubles it. */
const RETRY_MS = 60_000;
const RETRY_MS_MAX = 3_600_000;

/** When a duty is due, unix ms; null if it has nothing to do. */
export type DueMs = () => number | null;

export class Duties<Name extends string> {
  readonly #dueMs: Readonly<Record<Name, DueMs>>;
  readonly #failed = new Map<Name, { failures: number; untilMs: number }>();

  constructor(dueMs: Readonly<Record<Name, DueMs>>) {
    this.#dueMs = dueMs;
  }

  isDue(name: Name, nowMs: number): boolean {
    const atMs = this.nextMs([name]);
    return atMs !== null && atMs <= nowMs;
  }

  /** Returns when the first of these duties is due, unix ms; null if none has anything to do. */
  nextMs(names: readonly Name[]): number | null {
    const due = names.flatMap((name) => {
      const atMs = this.#dueMs[name]();
      return atMs === null ? [] : Math.max(atMs, this.#failed.get(name)?.untilMs ?? 0);
    });
    return due.length === 0 ? null : Math.min(...due);
  }

  succeeded(name: Name): void {
    this.#failed.delete(name);
  }

  failed(name: Name, nowMs: number): void {
    const failures = (this.#failed.get(name)?.failures ?? 0) + 1;
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (failures - 1));
    this.#failed.set(name, { failures, untilMs: nowMs + pauseMs });
  }
}
