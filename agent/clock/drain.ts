/** Ending in order: what is open may finish, but not for ever. */

/** How long what is open may take once the agent was asked to end. */
export const DRAIN_MS = 25_000;

/** Resolves with the promise, or after `limitMs`. */
export async function atMost(limitMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}
