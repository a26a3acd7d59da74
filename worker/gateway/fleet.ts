/**
 * The boxes as this isolate knows them.
 *
 * Choosing a box must not cost an object call per request, so the registry is kept for a moment. A
 * stale entry does no harm: the Box itself refuses when its agent is gone, and the next box is tried.
 */

import type { InFlight } from "../../protocol/api/live.ts";
import type { Fleet } from "../aggregator/aggregator.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { type BoxStatuses, type RegisteredBox, upNames } from "../registered-box.ts";
import { newPulse, type Pulse } from "./stream/pulse.ts";

const KEEP_MS = 1_000;

type Kept = Fleet & { atMs: number };
let kept: Kept | null = null;

/** What the streams of this isolate feel of each box. */
const pulses = new Map<string, Pulse>();

export async function fleetOf(env: Bindings): Promise<Fleet> {
  const nowMs = Date.now();
  if (kept !== null && nowMs - kept.atMs < KEEP_MS && kept.boxes.some((box) => box.state === "up"))
    return kept;
  // Whoever finds it too old asks; the others go on with what there is until the answer comes.
  if (kept !== null) kept.atMs = nowMs;
  kept = { ...(await aggregatorOf(env).fleet()), atMs: nowMs };
  return kept;
}

/** What was kept was wrong: ask anew next time. */
export function forgetBoxes(): void {
  kept = null;
}

/** Of one box, shared by all its streams in this isolate. */
export function pulseOf(box: string): Pulse {
  const pulse = pulses.get(box) ?? newPulse();
  pulses.set(box, pulse);
  return pulse;
}

/** Open streams of this isolate. */
export const openStreams = (box: string): number => pulses.get(box)?.open ?? 0;

/** Counts a stream of this isolate until it has `ended`. */
export function countStream(box: string, ended: Promise<unknown>): void {
  const pulse = pulseOf(box);
  pulse.open++;
  void ended.then(() => {
    pulse.open--;
  });
}

/**
 * What each Box says of itself now. A read of `/api` asks them all: that also makes their agents
 * send fresh readings, which are in the Aggregator when this returns.
 * @param only  asks this one alone
 * @throws {GatewayError} `box_unknown` when no box of that name has ever connected
 */
export async function boxStatuses(env: Bindings, only?: string): Promise<BoxStatuses> {
  return (await statusesAndRequests(env, only)).live;
}

/** The same, with the requests that are served now, the oldest first. */
export async function statusesAndRequests(
  env: Bindings,
  only?: string,
): Promise<{ live: BoxStatuses; requests: InFlight[] }> {
  const boxes = (await aggregatorOf(env).registry()).filter(
    ({ name }) => only === undefined || name === only,
  );
  if (only !== undefined && boxes.length === 0)
    throw new GatewayError({ reason: "box_unknown", box: only });
  const looks = await Promise.all(
    boxes.map(async ({ name }) => ({ name, ...(await boxStubOf(env, name).status()) })),
  );
  return {
    live: looks.map(({ name, isUp, inFlight, queueDepth }) => ({
      name,
      up: isUp,
      in_flight: isUp ? inFlight : null,
      queue_depth: isUp ? queueDepth : null,
    })),
    requests: looks
      .flatMap(({ name, requests }) => requests.map((request) => ({ ...request, box: name })))
      .sort((a, b) => (a.started_at < b.started_at ? -1 : 1)),
  };
}

/**
 * The boxes with readings of this moment, `down` when they are not up now. Asks like {@link boxStatuses}.
 * @throws {GatewayError} `box_unknown`
 */
export async function freshBoxes(env: Bindings, only?: string): Promise<RegisteredBox[]> {
  const live = await boxStatuses(env, only);
  const [asked, isUp] = [new Set(live.map(({ name }) => name)), upNames(live)];
  const boxes = await aggregatorOf(env).registry();
  return boxes
    .filter(({ name }) => asked.has(name))
    .map((box) => (isUp.has(box.name) ? box : { ...box, state: "down" }));
}

/** An agent tells what its box has as soon as a change is over: a moment after the caller of that change knows. */
const TOLD_MS = 1_000;
const ASK_EVERY_MS = 50;

/** Waits until the boxes have told of a change, so that who asks next sees it; not for ever, since it is done whether or not they told. */
export async function untilReported(
  env: Bindings,
  hasTold: (box: RegisteredBox) => boolean,
): Promise<void> {
  try {
    for (let waitedMs = 0; waitedMs < TOLD_MS; waitedMs += ASK_EVERY_MS) {
      if ((await aggregatorOf(env).registry()).every(hasTold)) break;
      await scheduler.wait(ASK_EVERY_MS);
    }
  } catch {
    // A registry that cannot be asked now undoes nothing.
  }
  forgetBoxes();
}
