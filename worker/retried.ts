/** Calls of an object that are made again: one that is being moved or restarted fails the first call. */

/**
 * Resolves with the first answer.
 * @param waitsMs  the waits before the attempts
 * @param onError  called for each attempt that failed
 * @throws the error of the last attempt
 */
export async function retried<Answer>(
  waitsMs: readonly number[],
  attempt: () => Promise<Answer>,
  {
    wait = (ms: number): Promise<unknown> => scheduler.wait(ms),
    onError = (_error: unknown): void => {},
  } = {},
): Promise<Answer> {
  let last: unknown;
  for (const waitMs of waitsMs) {
    if (waitMs > 0) await wait(waitMs);
    try {
      return await attempt();
    } catch (error) {
      onError(error);
      last = error;
    }
  }
  throw last;
}
