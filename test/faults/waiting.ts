/** Waiting for conditions, and the load of the machine meanwhile. */
import { connect } from "node:net";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { CONDITION_MS } from "../support/patience.ts";

/**
 * Checks again until the condition is true. An error counts as not yet. @throws if it does not
 * become true in time
 */
export async function until(
  isTrue: () => Promise<boolean> | boolean,
  condition: string,
  limitMs = CONDITION_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  let last = "";
  for (;;) {
    try {
      if (await isTrue()) return;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline)
      throw new Error(`Gave up after ${limitMs / 1_000} s: ${condition}. ${last}`);
    await sleep(20);
  }
}

/** Returns whether a program accepts connections on the port. */
export const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () =>
      resolve(false),
    );
    socket.once("connect", () => socket.destroy());
  });

/** The load of the machine, printed beside every measured time. */
export const loadNow = (): string => `load ${(loadavg()[0] ?? 0).toFixed(1)}`;
