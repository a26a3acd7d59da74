/**
 * A look: a person reads the figures of the boxes, so their agents send fresh readings for a while.
 *
 * The answers come from the Aggregator, so most reads call no Box. A look makes an agent send readings
 * for 30 s, so each isolate looks less often than it answers.
 */
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import type { RegisteredBox } from "../registered-box.ts";

const LOOK_EVERY_MS = 10_000;

/**
 * Boxes that send readings every 2 s for one reader, and take the Aggregator half a second of CPU for it.
 * The figures of a larger fleet are as old as its boxes' own reports.
 */
const WATCHED_BOXES_MAX = 100;

/** When a look was last over, unix ms, by box; the empty name is all boxes. */
const looks = new Map<string, number>();

/**
 * Makes agents send fresh readings, which the Aggregator has when this resolves.
 * @param only  this box alone
 * @throws {GatewayError} `box_unknown` if no box of that name has ever connected
 */
export async function look(env: Bindings, only = ""): Promise<void> {
  const nowMs = Date.now();
  if (nowMs - (looks.get(only) ?? 0) < LOOK_EVERY_MS) return;
  await lookNow(env, only);
  // A reader cannot wait for another one's look, which ends with that one's request.
  looks.set(only, nowMs);
}

/** Makes the next reader look again, because boxes have come or gone. */
export const forgetLooks = (): void => looks.clear();

async function lookNow(env: Bindings, only: string): Promise<void> {
  const known = await aggregatorOf(env).boxNames();
  const names = only === "" ? known : known.filter((name) => name === only);
  if (only !== "" && names.length === 0)
    throw new GatewayError({ reason: "box_unknown", box: only });
  if (names.length > WATCHED_BOXES_MAX) return;
  await Promise.all(names.map((name) => boxStubOf(env, name).status()));
}

/**
 * Returns whether an agent is connected to this box now, by its Box.
 * @throws {GatewayError} `box_unknown`
 */
export async function isConnected(env: Bindings, box: string): Promise<boolean> {
  await lookNow(env, box);
  return (await boxStubOf(env, box).status()).isUp;
}

/**
 * Returns the boxes with readings of this moment, for a change of their models: calls each Box.
 * @throws {GatewayError} `box_unknown`
 */
export async function freshBoxes(env: Bindings, only = ""): Promise<RegisteredBox[]> {
  await lookNow(env, only);
  const boxes = await aggregatorOf(env).registry();
  return boxes.filter(({ name }) => only === "" || name === only);
}
