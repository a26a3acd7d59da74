/**
 * The boxes: whether one is up, and the streams of this isolate on them.
 */

import type { EdgeSettings } from "../../protocol/messages.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { ModelLoad } from "../box/load.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import type { RegisteredBox } from "../registered-box.ts";
import { retried } from "../retried.ts";
import { Conversations } from "./choice/conversations.ts";
import { wantedPrompt } from "./choice/estimate.ts";
import { KnownLoads } from "./choice/known-load.ts";
import { placeOnRing } from "./choice/opening.ts";
import type { Present } from "./choose.ts";
import { reportedLoad } from "./known-boxes.ts";
import { fleetFor, forgetBoxes, type Invocation } from "./known-fleet.ts";
import type { EdgeStream } from "./stream/edge-stream.ts";
import { newPulse, type Pulse } from "./stream/pulse.ts";

/** The pulse of each box, measured by the streams of this isolate. */
const pulses = new Map<string, Pulse>();

/** Retention of the answer to strangers. A flood of them costs one object call in this time. */
const READY_KEPT_MS = 10_000;

const ready = { isReady: false, atMs: Number.NEGATIVE_INFINITY };

/** Returns whether a call could be served, as this isolate knows it: up to 10 s late. */
export async function isReadyAsKnown(shell: Invocation): Promise<boolean> {
  const nowMs = Date.now();
  if (nowMs - ready.atMs < READY_KEPT_MS) return ready.isReady;
  ready.atMs = nowMs; // before the call: others get the old answer meanwhile
  ready.isReady = await isReady(shell).catch(() => false);
  return ready.isReady;
}

/** Forgets the answer to strangers. */
export function forgetReadiness(): void {
  ready.atMs = Number.NEGATIVE_INFINITY;
}

/** Scripts wait for the answer to change, so it may be no older. */
const READY_KNOWN_MS = 1_000;

/** Returns whether a call could be served: at least one box is up. */
export async function isReady(shell: Invocation): Promise<boolean> {
  const isEnough = (fleet: Fleet, ageMs: number) => ageMs < READY_KNOWN_MS && hasBoxUp(fleet);
  return hasBoxUp(await fleetFor(shell, Date.now(), isEnough));
}

const hasBoxUp = ({ boxes }: Fleet): boolean => boxes.some(({ state }) => state === "up");

/** A Box that is being moved or restarted fails the first call, not the second. */
const SETTLE_WAITS_MS = [0, 100, 400];

/**
 * Passes the settings in force to the agents. Resolves when each Box has them, or cannot be called.
 */
export async function settleBoxes(env: Bindings, keepsText: boolean): Promise<void> {
  const names = await aggregatorOf(env).boxNames();
  await Promise.all(names.map((name) => settleBox(env, name, { keep_text: keepsText })));
}

/** Passes the settings in force to the agent of a box. An agent that is away gets them later. */
export async function settleBox(env: Bindings, box: string, settings: EdgeSettings): Promise<void> {
  const onError = (error: unknown) =>
    console.warn(JSON.stringify({ event: "settings_not_passed", box, why: String(error) }));
  const settling = () => boxStubOf(env, box).settle(settings);
  await retried(SETTLE_WAITS_MS, settling, { onError }).catch(() => {});
}

/** Returns the pulse of a box, shared by all its streams in this isolate. */
export function pulseOf(box: string): Pulse {
  const pulse = pulses.get(box) ?? newPulse();
  pulses.set(box, pulse);
  return pulse;
}

/** The load of boxes, as this isolate knows it. */
const loads = new KnownLoads();

/**
 * Begins a stream, which counts as load of its box from now until it ends.
 * @param begin  calls `taken` with the load that the Box reports, once it has the stream
 */
export async function counted(
  { box, model }: { box: string; model: string | null },
  begin: (taken: (load: ModelLoad | null) => void) => Promise<EdgeStream>,
): Promise<EdgeStream> {
  if (model === null) return begin(() => {});
  const entered = loads.enter(box, model);
  try {
    const stream = await begin((load) => entered.taken(load, Date.now()));
    void stream.ended.then(entered.left);
    return stream;
  } catch (error) {
    entered.left();
    throw error;
  }
}

/** Takes the load that a Box reported with a refusal. */
export function noteLoad(
  { box, model }: { box: string; model: string | null },
  load: ModelLoad | null,
): void {
  if (model !== null && load !== null) loads.learn(box, model, load, Date.now());
}

/** The boxes of conversations, as this isolate knows them. */
const conversations = new Conversations();

/** Returns the box that keeps the prompt of a conversation; null if unknown. */
export const keptFor = (conversation: string | null, promptTokens: number | null) =>
  conversation === null ? null : conversations.kept(conversation, promptTokens, Date.now());

/** Notes the box that serves a conversation now. */
export function keepOn(box: string, conversation: string | null, bodyBytes: number | null): void {
  if (conversation === null) return;
  const { promptTokens } = wantedPrompt(bodyBytes);
  conversations.served(conversation, box, promptTokens, Date.now());
}

/**
 * Returns the facts of this moment for the choice of a box.
 * @param conversation  goes to the same one of equal boxes from every isolate; null for the one with the
 *                      fewest streams
 */
export function presentFor(model: string | null, conversation: string | null): Present {
  const nowMs = Date.now();
  const wanted = model ?? "";
  return {
    loadOf: (box, serviceMs) =>
      loads.of(box.name, wanted, reportedLoad(box, wanted), serviceMs, nowMs),
    orderOf: (box) =>
      conversation === null
        ? (pulses.get(box)?.open ?? 0) + Math.random()
        : placeOnRing(`${conversation} ${box}`),
    nowMs,
  };
}

/** Counts a stream of this isolate as open until `ended` resolves. */
export function countStream(box: string, ended: Promise<unknown>): void {
  const pulse = pulseOf(box);
  pulse.open++;
  void ended.then(() => {
    pulse.open--;
  });
}

/**
 * An agent reports a change of its models when it is complete, just after the caller of that change
 * knows.
 */
const REPORTED_WITHIN_MS = 1_000;
const POLL_EVERY_MS = 50;

/**
 * Waits until the registry shows a change on every box, so that the next reader sees it. Gives up
 * after {@link REPORTED_WITHIN_MS}, since the change is made whether or not it was reported.
 */
export async function untilReported(
  env: Bindings,
  hasReported: (box: RegisteredBox) => boolean,
): Promise<void> {
  try {
    for (let waitedMs = 0; waitedMs < REPORTED_WITHIN_MS; waitedMs += POLL_EVERY_MS) {
      if ((await aggregatorOf(env).registry()).every(hasReported)) break;
      await scheduler.wait(POLL_EVERY_MS);
    }
  } catch {
    // The change stands even if the registry cannot be read now.
  }
  forgetBoxes();
}
