/**
 * Finds a box for a call: the best one, by the fleet as this isolate knows it, that takes the call.
 * `call-path.ts` decides the steps.
 *
 * The Boxes correct what was known. After a refusal the fleet is refreshed at once: behind the call if
 * another box takes it, and otherwise before the call fails.
 */
import { withTag } from "../../protocol/inventory.ts";
import type { RouteReason } from "../../protocol/route.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import { GatewayError } from "../errors.ts";
import { inForce, settingsOf } from "../settings.ts";
import { nobodyFor } from "./absent-holders.ts";
import { BusierThanKnown, beginAt, KeysOutdated } from "./attach.ts";
import {
  beginPath,
  busier,
  type CallPath,
  type Choosing,
  chosen,
  needsHolder,
  type Over,
  refused,
  type Serving,
  type Trying,
  taken,
} from "./call-path.ts";
import { wantedPrompt } from "./choice/estimate.ts";
import { type BoxChoice, canServe, chooseBoxes, holdersOf, holds } from "./choose.ts";
import { counted, keepOn, keptFor, presentFor } from "./fleet.ts";
import { fleetAfterFailure, fleetFor, type Invocation, refreshFleet } from "./known-fleet.ts";
import { type CallerKey, mayServe } from "./known-keys.ts";
import { learnRefusal } from "./learned-failure.ts";
import type { EdgeStream } from "./stream/edge-stream.ts";

export type Wish = {
  /** The request id, which is also the id of the stream. */
  id: string;
  /** The box that the caller chose; null for the best one. */
  wantedBox: string | null;
  /** Why it is that box; absent if the caller named it. */
  wantedReason?: RouteReason;
  /** The model that must be on the box; null if the call needs none. */
  model: string | null;
  /** All models that the call names. */
  named: readonly string[];
  /** Null without a body, or if its length is not known. */
  bodyBytes: number | null;
  /** The conversation that the call belongs to; null if it belongs to none. */
  conversation: string | null;
  /** The context that the call requests; null for the default. */
  numCtx: number | null;
  /** When the call was accepted, unix ms. */
  startedMs: number;
  /** The caller's key, if the edge made it. */
  key: CallerKey | null;
  /** Another box may serve the call if its box fails. */
  mayMove: boolean;
};

/** A box that took the call, and its stream there. `isElsewhere`: some box has its model. */
export type Place = {
  path: Serving;
  stream: EdgeStream;
  fleet: Fleet;
  isElsewhere: boolean;
};

/** Makes a stream for a box, whose first frames leave now. */
export type StreamTo = (
  choice: BoxChoice,
  fleet: Fleet,
  how: { keepsText: boolean; mayMove: boolean; mayAsk: boolean },
) => Promise<EdgeStream>;

/** @throws {GatewayError} if no box takes the call */
export async function placeFor(shell: Invocation, wish: Wish, streamTo: StreamTo): Promise<Place> {
  const { wantedBox, model, startedMs, mayMove } = wish;
  /** The fleet was known before the call, so a newer one may have more boxes. */
  let isFromBefore = false;
  const known = await fleetFor(shell, startedMs, ({ boxes }, ageMs) => {
    isFromBefore = canServe(boxes, wantedBox, model, ageMs);
    return isFromBefore;
  });
  const begun = beginPath({ mayAsk: isFromBefore && wantedBox === null, mayMove });
  const walk = await walked({ shell, wish, streamTo }, begun, known);
  const { path, fleet } = walk;
  if (path.refusal !== null && fleet === known) refreshFleet(shell);
  if (walk.place === null) throw path.refusal ?? new GatewayError(nobodyFor(fleet.boxes, model));
  keepOn(walk.place.path.choice.box, wish.conversation, wish.bodyBytes);
  return walk.place;
}

/**
 * Finds the next box for a call that its box has ended.
 * @param path  as it goes on after that
 */
export const nextPlace = (
  shell: Invocation,
  wish: Wish,
  { fleet }: Place,
  path: CallPath,
  streamTo: StreamTo,
): Promise<Walk> => walked({ shell, wish, streamTo }, path, fleet);

type Walker = { shell: Invocation; wish: Wish; streamTo: StreamTo };

/** The end of a walk: a box has the call, or none gets it. `fleet`: as it was known then. */
export type Walk = { path: Serving | Over; place: Place | null; fleet: Fleet };

/** Takes the steps of a path until a box has the call. */
async function walked(walker: Walker, begun: CallPath, known: Fleet): Promise<Walk> {
  const { shell, wish } = walker;
  let [path, fleet] = [begun, known];
  let stream: EdgeStream | null = null;
  for (;;) {
    switch (path.at) {
      case "choosing":
        if (path.by === "newest") fleet = await newestFor(shell, path, wish);
        path = chosen(path, rankedBy(path, fleet, wish));
        break;
      case "trying":
        [path, stream] = await triedAt(walker, path, fleet);
        break;
      case "serving": {
        if (stream === null) throw new Error("a call is served without a stream");
        const isElsewhere = wish.model !== null && holdersOf(fleet.boxes, wish.model).length > 0;
        return { path, place: { path, stream, fleet, isElsewhere }, fleet };
      }
      case "over":
        return { path, place: null, fleet };
    }
  }
}

const newestFor = (shell: Invocation, { failed }: Choosing, { startedMs }: Wish): Promise<Fleet> =>
  failed.length > 0 ? fleetAfterFailure(shell) : fleetFor(shell, startedMs, () => false);

async function triedAt(
  { shell, wish, streamTo }: Walker,
  path: Trying,
  fleet: Fleet,
): Promise<[CallPath, EdgeStream | null]> {
  const { choice, waitMs } = path;
  const { box, openMost } = choice;
  const keepsText = inForce(settingsOf(shell.env), fleet.settings).logContent === "on";
  const key = wish.key?.attached ?? null;
  const to = { box, id: wish.id, model: taggedOf(wish), key, openMost, waitMs, keepsText };
  const takesMayAsk = fleet.boxes.some((each) => each.name === box && each.takes_may_ask);
  const serving = taken(path, takesMayAsk);
  const { mayAsk, others } = serving;
  const newStream = (mayKeep: boolean) =>
    streamTo(choice, fleet, { keepsText: mayKeep, mayMove: others.length > 0, mayAsk });
  try {
    const stream = await counted(to, (noted) => beginAt(shell, to, newStream, noted));
    return [serving, stream];
  } catch (error) {
    if (error instanceof BusierThanKnown) return [busier(path), null];
    if (error instanceof KeysOutdated) return [await afterRenewal(shell, path, wish), null];
    if (!(error instanceof GatewayError)) throw error;
    learnRefusal(box, error.failure);
    return [refused(path, error), null];
  }
}

/** @throws {GatewayError} if the key may not make the call any more */
async function afterRenewal(shell: Invocation, path: Trying, wish: Wish): Promise<CallPath> {
  const { box } = path.choice;
  await wish.key?.renew(shell);
  wish.key?.check({ models: wish.named, wantedBox: null });
  return mayServe(wish.key, box)
    ? path
    : refused(path, new GatewayError({ reason: "box_forbidden", box }));
}

const taggedOf = ({ model }: Wish): string | null => (model === null ? null : withTag(model));

/**
 * Returns the boxes that may get the call, best first.
 * @throws {GatewayError} `box_unknown`
 */
function rankedBy(path: Choosing, fleet: Fleet, wish: Wish): BoxChoice[] {
  const choices = candidates(fleet, wish);
  if (!needsHolder(path)) return choices;
  const known = new Map(fleet.boxes.map((box) => [box.name, box]));
  return choices.filter(({ box: name }) => {
    const box = known.get(name);
    return box !== undefined && holds(box, wish.model);
  });
}

/** @throws {GatewayError} `box_unknown` */
function candidates(fleet: Fleet, wish: Wish): BoxChoice[] {
  const { wantedBox, bodyBytes, conversation, numCtx } = wish;
  const boxes = fleet.boxes.filter(({ name }) => mayServe(wish.key, name));
  const model = taggedOf(wish);
  const prompt = wantedPrompt(bodyBytes);
  const kept = keptFor(conversation, prompt.promptTokens);
  const wanted = model === null ? null : { ...prompt, model, numCtx, kept };
  if (wantedBox === null) return chooseBoxes(boxes, wanted, presentFor(model, conversation));
  if (!boxes.some(({ name }) => name === wantedBox))
    throw new GatewayError({ reason: "box_unknown", box: wantedBox });
  return [{ box: wantedBox, reason: wish.wantedReason ?? "named", openMost: null }];
}
