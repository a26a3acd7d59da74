/**
 * A clock that nobody can set: the time at which it was made, and monotonic time from there. What it
 * says twice lies as far apart as it was, whatever is done to the machine's clock meanwhile.
 *
 * @param nowMs  the time now, unix ms
 * @returns      asks for the time, unix ms
 */
export function steadyClock(nowMs: number): () => number {
  const startMs = nowMs - performance.now();
  return () => startMs + performance.now();
}
