/** Simulated time: events in order. The same seed gives the same order. */

type Due = { atMs: number; order: number; run: (() => void) | null };

export class Schedule {
  /** Monotonic ms since the world began. */
  nowMs = 0;
  #order = 0;
  readonly #heap: Due[] = [];

  /** Schedules `run`. @returns a function that cancels it */
  after(ms: number, run: () => void): () => void {
    const due: Due = { atMs: this.nowMs + Math.max(0, ms), order: this.#order++, run };
    this.#push(due);
    return () => {
      due.run = null;
    };
  }

  /** Runs the next event. @returns false after the last event before `untilMs` */
  step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      if (next.run === null) continue;
      this.nowMs = next.atMs;
      next.run();
      return true;
    }
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Due;
      if (isBefore(above, due)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (isBefore(last, heap[child] as Due)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Due, b: Due): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
