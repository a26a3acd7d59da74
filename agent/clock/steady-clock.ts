/**
 * Creates a clock that nobody can set: it starts at `nowMs` and advances with monotonic time. The
 * difference between two readings is the time that passed, even if the machine's clock is changed.
 *
 * @param nowMs  the current time, unix ms
 * @returns      a function that returns the time, unix ms
 */
export function steadyClock(nowMs: number): () => number {
  const startMs = nowMs - performance.now();
  return () => startMs + performance.now();
}
