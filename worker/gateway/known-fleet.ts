/**
 * The fleet as this isolate last knew it.
 *
 * A call uses it without waiting, because the Aggregator may be far away or busy, and the fleet is
 * refreshed beside calls. It may therefore be wrong, so whatever must not be wrong is checked by
 * others: a Box refuses a call when its agent is gone, drains, or has other settings in force. A call
 * waits for the Aggregator only if the known fleet cannot serve it, and so does the first of an
 * isolate.
 */
import type { Context } from "hono";
import { FLEET_ANSWER_MS } from "../../protocol/limits.ts";
import type { Fleet, KnownKeys } from "../aggregator/fleet.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings, Env } from "../env.ts";
import type { MoveReason } from "./failover.ts";
import { jointWait } from "./joint-wait.ts";
import {
  ASKED_AGAIN_MS,
  afterFailure,
  areModelsNewer,
  isRefreshDue,
  noteUnreachable,
  type UnreachableBoxes,
  withUnreachable,
} from "./known-boxes.ts";
import { forgetLooks } from "./look.ts";

/** Where a call is served: its bindings, and a place for work that it does not wait for. */
export type Invocation = { env: Bindings; waitUntil(promise: Promise<unknown>): void };

export const invocationOf = ({ env, executionCtx }: Context<Env>): Invocation => ({
  env,
  waitUntil: jointWait((promise) => executionCtx.waitUntil(promise)),
});

type Requested = { answer: Promise<Fleet>; atMs: number };

let known: { fleet: Fleet; atMs: number } | null = null;
let requested: Requested | null = null;
/** Failures that the fleet, as the Aggregator has it, may not show yet. */
const unreachable: UnreachableBoxes = new Map();

/**
 * Returns the fleet, known or new.
 * @param nowMs    when the call began, unix ms
 * @param isEnough  decides whether the fleet that was known `ageMs` ago can serve the call
 */
export async function fleetFor(
  { env, waitUntil }: Invocation,
  nowMs: number,
  isEnough: (fleet: Fleet, ageMs: number) => boolean,
): Promise<Fleet> {
  if (known === null) return requestFleet(env, waitUntil);
  const { fleet, atMs } = known;
  if (!isEnough(fleet, nowMs - atMs)) {
    const newer = requestFleet(env, waitUntil).catch(() => fleet);
    return Promise.race([newer, scheduler.wait(FLEET_ANSWER_MS).then(() => fleet)]);
  }
  if (isRefreshDue(fleet.boxes, nowMs - atMs)) refreshFleet({ env, waitUntil });
  return fleet;
}

/** Returns the fleet as it was known at most this long ago; null if it was not. */
export const fleetKnownSince = (ageMs: number): Fleet | null =>
  known !== null && Date.now() - known.atMs < ageMs ? known.fleet : null;

/**
 * Returns a fleet that was requested after this one, or the first one. Null if the Aggregator does not
 * answer in time.
 * @param isNew  false for an answer to an earlier request of another call
 */
export async function newFleet(
  { env, waitUntil }: Invocation,
  isNew: (fleet: Fleet) => boolean = () => true,
): Promise<Fleet | null> {
  if (known === null) return requestFleet(env, waitUntil);
  const answer = requestFleet(env, waitUntil)
    .then((fleet) => (isNew(fleet) ? fleet : requestFleet(env, waitUntil)))
    .catch(() => null);
  return Promise.race([answer, scheduler.wait(FLEET_ANSWER_MS).then(() => null)]);
}

/**
 * Requests the fleet if none is known, beside the call. The first call of an isolate has to wait for
 * the answer: with this, only for as long as its body does not take anyway.
 */
export function requestEarly(shell: Invocation): void {
  if (known === null) refreshFleet(shell);
}

/** Requests the fleet, beside the call. */
export function refreshFleet({ env, waitUntil }: Invocation): void {
  // A failure changes nothing, and the next call requests it again.
  if (underWay() === null) waitUntil(requestFleet(env, waitUntil).catch(() => {}));
}

/** Requests the fleet after a failure, beside the call. Failures in quick succession request it once. */
export function refreshAfterFailure(shell: Invocation): void {
  if (fleetKnownSince(ASKED_AGAIN_MS) === null) refreshFleet(shell);
}

/** Returns the fleet for a call whose boxes have failed. */
export const fleetAfterFailure = (shell: Invocation): Promise<Fleet> =>
  fleetFor(shell, Date.now(), (_, ageMs) => ageMs < ASKED_AGAIN_MS);

/**
 * Requests the fleet if the models of a box have changed since it was known: the Aggregator has the
 * newest ones, and each Box reports when its own last changed.
 * @param modelsAt  by the agent's clock; absent if the Box does not know
 */
export function noteModels(shell: Invocation, name: string, modelsAt: string | undefined): void {
  if (areModelsNewer(known?.fleet.boxes ?? [], name, modelsAt)) refreshFleet(shell);
}

/** Changes the known fleet. The next answer of the Aggregator replaces it. */
export function correctFleet(correction: (fleet: Fleet) => Partial<Fleet>): void {
  if (known !== null) known = { ...known, fleet: { ...known.fleet, ...correction(known.fleet) } };
}

/** Corrects the known fleet, and the next ones, by the failure of a box. @param model  that of the call, or null */
export function correctByFailure(name: string, reason: MoveReason, model: string | null): void {
  noteUnreachable(unreachable, name, reason, Date.now());
  correctFleet(({ boxes }) => ({ boxes: afterFailure(boxes, name, reason, model) }));
}

/** Forgets the fleet: the next call waits for the Aggregator. */
export function forgetBoxes(): void {
  known = null;
  requested = null;
  unreachable.clear();
  forgetLooks();
}

const underWay = (): Requested | null =>
  requested !== null && Date.now() - requested.atMs < FLEET_ANSWER_MS ? requested : null;

/** Requests the fleet, once for all calls that wait at the same time. */
async function requestFleet(env: Bindings, waitUntil: Invocation["waitUntil"]): Promise<Fleet> {
  for (let shared = underWay(); shared !== null; shared = underWay()) {
    const tooLate = scheduler.wait(FLEET_ANSWER_MS).then(() => null);
    const fleet = await Promise.race([shared.answer.catch(() => null), tooLate]);
    if (fleet !== null) return fleet;
    if (requested === shared) requested = null;
  }
  const before = known?.fleet.keys;
  const read = async () => {
    const fleet = withKeys(await aggregatorOf(env).fleet(before?.version ?? null), before);
    return { ...fleet, boxes: withUnreachable(fleet.boxes, unreachable) };
  };
  const mine: Requested = { answer: read(), atMs: Date.now() };
  requested = mine;
  // Others wait for the answer, even if the caller of this call leaves.
  waitUntil(mine.answer.catch(() => {}));
  try {
    const fleet = await mine.answer;
    // Not if it was forgotten since: the answer may be from before the change.
    if (requested === mine) known = { fleet, atMs: mine.atMs };
    return fleet;
  } finally {
    if (requested === mine) requested = null;
  }
}

/** An answer leaves the keys out if they have not changed. */
function withKeys(fleet: Fleet, before: KnownKeys | undefined): Fleet {
  const { keys } = fleet;
  return keys === undefined
    ? fleet
    : { ...fleet, keys: { ...keys, all: keys.all ?? before?.all ?? null } };
}
