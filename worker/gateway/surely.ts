/** Calls of the Aggregator that are made again until they succeed. */
import { retried } from "../retried.ts";

/**
 * Waits before each attempt. The Aggregator may be restarting or moving, and whatever arrives twice
 * counts once. The runtime grants an invocation half a minute after its caller left.
 */
export const SURELY_WAITS_MS = [0, 250, 1_000, 4_000, 8_000];

/** Resolves once the call has succeeded, or after the last attempt failed, which is logged. */
export async function surely(
  event: string,
  requestId: string,
  attempt: () => Promise<unknown>,
): Promise<void> {
  await retried(SURELY_WAITS_MS, attempt).catch((error: unknown) => {
    const why = String(error).slice(0, 500);
    console.error(JSON.stringify({ event, request_id: requestId, why }));
  });
}
