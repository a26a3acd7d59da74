/** Time limits of an orderly stop: open requests may finish, but not forever. */

/** Time that open requests may take after the agent starts draining. */
export const DRAIN_MS = 25_000;

/** Time that a drained agent waits for the edge to confirm its last records. */
export const LAST_RECORDS_MS = 2_000;

/** Requests that left the edge before it knew that the agent drains arrive within this, and are served. */
export const CROSSING_MS = 500;

/** Waits for the promise, but at most `limitMs`. */
export async function atMost(limitMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}
