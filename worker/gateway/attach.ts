/**
 * Finds a box for a call: the best one, by the fleet as this isolate knows it, that takes the call.
 *
 * The Boxes correct what was known. After a refusal the fleet is refreshed at once: behind the call if
 * another box takes it, and otherwise before the call fails.
 */
import type { Fleet } from "../aggregator/fleet.ts";
import { type Attach, attachUrl, TEXT_IS_OFF } from "../box/attach.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import { type FailureReason, GatewayError } from "../errors.ts";
import { inForce, settingsOf } from "../settings.ts";
import { canServe, chooseBoxes, holds } from "./choose.ts";
import { openStreams } from "./fleet.ts";
import {
  correctBox,
  correctFleet,
  fleetFor,
  type Invocation,
  refreshFleet,
} from "./known-fleet.ts";

export type Wish = {
  /** The request id, which is also the id of the stream. */
  id: string;
  /** The box that the caller chose; null for the best one. */
  wantedBox: string | null;
  model: string | null;
  /** When the call was accepted, unix ms. */
  startedMs: number;
};

export type Place = { box: string; socket: WebSocket; keepsText: boolean; fleet: Fleet };

/** Failures for which the next box is tried, and the state in which the box is then. */
const TRY_NEXT = new Map<FailureReason["reason"], "down" | "draining" | null>([
  ["box_down", "down"],
  ["box_draining", "draining"],
  ["box_busy", null],
]);

/** @throws {GatewayError} if no box takes the call */
export async function placeFor(shell: Invocation, wish: Wish): Promise<Place> {
  const { wantedBox, model, startedMs } = wish;
  let isCurrent = true;
  const known = await fleetFor(shell, startedMs, ({ boxes }, ageMs) => {
    isCurrent = !canServe(boxes, wantedBox, model, ageMs);
    return !isCurrent;
  });
  let names = candidates(known, wish);
  const mayAsk = !isCurrent && wantedBox === null;
  if (mayAsk) names = names.filter(holdsIn(known, model));
  let tried = await tryBoxes(shell, wish, known, names, !mayAsk);
  if (tried.place === null && mayAsk) {
    const current = await fleetFor(shell, startedMs, () => false);
    tried = await tryBoxes(shell, wish, current, candidates(current, wish), true);
  } else if (tried.refusal !== null) refreshFleet(shell);
  if (tried.place !== null) return tried.place;
  throw tried.refusal ?? new GatewayError({ reason: "no_box" });
}

/**
 * Tries the boxes in their order.
 * @param mayWait  waits for an agent that was lost a moment ago: it nearly always returns. But if
 *   another box has the model, that one is tried first
 * @returns the last refusal, and the place if there is one
 */
async function tryBoxes(
  shell: Invocation,
  { id, model }: Wish,
  fleet: Fleet,
  boxes: readonly string[],
  mayWait: boolean,
): Promise<{ place: Place | null; refusal: GatewayError | null }> {
  const waiting = boxes.findLast(holdsIn(fleet, model)) ?? boxes.at(-1);
  let refusal: GatewayError | null = null;
  for (const box of boxes) {
    try {
      const to = { box, id, waits: mayWait && box === waiting };
      return { place: { box, fleet, ...(await attachAsSettled(shell, to, fleet)) }, refusal };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const state = TRY_NEXT.get(error.failure.reason);
      if (state === undefined) throw error;
      refusal = error;
      if (state !== null) correctBox(box, { state, last_seen_ms: 0 });
    }
  }
  return { place: null, refusal };
}

/** Without it, a box answers 404, although one that is not known yet may have the model. */
const holdsIn =
  ({ boxes }: Fleet, model: string | null) =>
  (name: string) =>
    boxes.some((box) => box.name === name && holds(box, model));

/** @throws {GatewayError} `box_unknown` */
function candidates({ boxes }: Fleet, { wantedBox, model }: Wish): string[] {
  if (wantedBox === null) return chooseBoxes(boxes, model, openStreams, Math.random, Date.now());
  if (!boxes.some(({ name }) => name === wantedBox))
    throw new GatewayError({ reason: "box_unknown", box: wantedBox });
  return [wantedBox];
}

/** Attaches with the settings in force, as the fleet or, if it is too old, the Box knows them. */
async function attachAsSettled(
  shell: Invocation,
  to: Pick<Attach, "box" | "id" | "waits">,
  { settings }: Fleet,
): Promise<{ socket: WebSocket; keepsText: boolean }> {
  const { env } = shell;
  const keepsText = inForce(settingsOf(env), settings).logContent === "on";
  const socket = await attach(env, { ...to, isResume: false, keepsText });
  if (socket !== null) return { socket, keepsText };
  correctFleet((fleet) => ({ settings: { ...fleet.settings, log_content: "off" } }));
  refreshFleet(shell);
  const without = await attach(env, { ...to, isResume: false, keepsText: false });
  if (without === null) throw new GatewayError({ reason: "internal" });
  return { socket: without, keepsText: false };
}

/** Attaches a stream again, after it lost its socket. @throws {GatewayError} if the Box refuses */
export async function attachAgain(env: Bindings, box: string, id: string): Promise<WebSocket> {
  const socket = await attach(env, { box, id, isResume: true, keepsText: false, waits: false });
  if (socket === null) throw new GatewayError({ reason: "internal" });
  return socket;
}

/**
 * @returns the socket to the Box; null if the stream may not keep text
 * @throws {GatewayError} if the Box refuses the stream
 */
async function attach(env: Bindings, to: Attach): Promise<WebSocket | null> {
  const { box } = to;
  // A Box that is being restarted or moved throws. The next box may serve the call.
  const answer = await boxStubOf(env, box)
    .fetch(attachUrl(to), { headers: { upgrade: "websocket" } })
    .catch((error: unknown) => {
      throw new GatewayError({ reason: "box_down", box }, { cause: error });
    });
  if (answer.webSocket !== null) return answer.webSocket;
  if (answer.status === TEXT_IS_OFF) return null;
  const { error } = await answer.json<{ error?: { code?: string } }>();
  const reason =
    error?.code === "box_draining" || error?.code === "box_busy" ? error.code : "box_down";
  throw new GatewayError({ reason, box });
}
