/**
 * Finds a box for a call: the best one, by the fleet as this isolate knows it, that takes the call.
 * The stream begins with the request that attaches it.
 *
 * The Boxes correct what was known. After a refusal the fleet is refreshed at once: behind the call if
 * another box takes it, and otherwise before the call fails.
 */
import type { KeyPolicy } from "../../protocol/api/keys.ts";
import type { Frame } from "../../protocol/frames.ts";
import { withTag } from "../../protocol/inventory.ts";
import { ATTEMPTS_MAX, ONLY_HOLDER_MS, RECONNECT_MS } from "../../protocol/limits.ts";
import type { RouteReason } from "../../protocol/route.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import {
  type Attach,
  attachHeaders,
  attachUrl,
  carriedOf,
  IS_BUSIER,
  loadIn,
  RELAYED_HEADER,
  TEXT_IS_OFF,
} from "../box/attach.ts";
import type { ModelLoad } from "../box/load.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import { type FailureReason, GatewayError } from "../errors.ts";
import { inForce, settingsOf } from "../settings.ts";
import { wantedPrompt } from "./choice/estimate.ts";
import { type BoxChoice, canServe, chooseBoxes, holdersOf, holds } from "./choose.ts";
import { counted, keepOn, keptFor, noteLoad, presentFor } from "./fleet.ts";
import {
  correctBox,
  correctFleet,
  fleetFor,
  type Invocation,
  refreshFleet,
} from "./known-fleet.ts";
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
  /** Null without a body, or if its length is not known. */
  bodyBytes: number | null;
  /** The conversation that the call belongs to; null if it belongs to none. */
  conversation: string | null;
  /** The context that the call requests; null for the default. */
  numCtx: number | null;
  /** When the call was accepted, unix ms. */
  startedMs: number;
  /** The policy of the caller's key; null if it limits nothing. */
  policy: Pick<KeyPolicy, "boxes"> | null;
  /** Another box may serve the call if its box fails. */
  mayMove: boolean;
};

/**
 * A box that took the call, and its stream there. `others`: the boxes that may still get it, best
 * first. `isElsewhere`: they have its model.
 */
export type Place = BoxChoice & {
  stream: EdgeStream;
  fleet: Fleet;
  others: readonly BoxChoice[];
  isElsewhere: boolean;
};

/** Makes a stream for a box, whose first frames leave now. */
export type StreamTo = (
  choice: BoxChoice,
  fleet: Fleet,
  how: { keepsText: boolean; mayMove: boolean },
) => Promise<EdgeStream>;

/** Failures for which the next box is tried, and the state in which the box is then. */
const TRY_NEXT = new Map<FailureReason["reason"], "down" | "draining" | null>([
  ["box_down", "down"],
  ["box_draining", "draining"],
  ["box_busy", null],
]);

/** @throws {GatewayError} if no box takes the call */
export async function placeFor(shell: Invocation, wish: Wish, streamTo: StreamTo): Promise<Place> {
  const { wantedBox, model, startedMs } = wish;
  /** The fleet was known before the call, so a newer one may have more boxes. */
  let isFromBefore = false;
  const known = await fleetFor(shell, startedMs, ({ boxes }, ageMs) => {
    isFromBefore = canServe(boxes, wantedBox, model, ageMs);
    return isFromBefore;
  });
  let choices = candidates(known, wish);
  const mayAsk = isFromBefore && wantedBox === null;
  if (mayAsk) choices = choices.filter(({ box }) => holdsIn(known, model)(box));
  let fleet = known;
  let tried = await tryBoxes(shell, wish, choices, fleet, !mayAsk, streamTo);
  if (tried.place === null && mayAsk) {
    fleet = await fleetFor(shell, startedMs, () => false);
    tried = await tryBoxes(shell, wish, candidates(fleet, wish), fleet, true, streamTo);
  } else if (tried.refusal !== null) refreshFleet(shell);
  if (tried.place !== null) keepOn(tried.place.box, wish.conversation, wish.bodyBytes);
  if (tried.place !== null) return tried.place;
  throw tried.refusal ?? new GatewayError(nobodyFor(fleet, model));
}

/** Finds the next box for a call that its box has ended. Returns null if no other one takes it. */
export async function nextPlace(
  shell: Invocation,
  wish: Wish,
  { others, fleet }: Place,
  streamTo: StreamTo,
): Promise<Place | null> {
  const choices = unlimited(others).map((choice) => ({ ...choice, reason: "failover" as const }));
  try {
    return (await tryAll(shell, wish, choices, fleet, true, streamTo)).place;
  } catch (error) {
    if (error instanceof GatewayError) return null;
    throw error;
  }
}

/** As {@link tryAll}, and chooses again if the load of the best box is not as known. */
async function tryBoxes(
  shell: Invocation,
  wish: Wish,
  boxes: readonly BoxChoice[],
  fleet: Fleet,
  mayWait: boolean,
  streamTo: StreamTo,
): Promise<Tried> {
  try {
    return await tryAll(shell, wish, limited(boxes), fleet, mayWait, streamTo);
  } catch (error) {
    if (!(error instanceof BusierThanKnown)) throw error;
    const again = unlimited(candidates(fleet, wish));
    return await tryAll(shell, wish, again, fleet, mayWait, streamTo);
  }
}

/** A Box refused a stream because another box is better, by the load that the isolate knows now. */
class BusierThanKnown extends Error {}

const unlimited = (choices: readonly BoxChoice[]): BoxChoice[] =>
  choices.map((choice) => ({ ...choice, openMost: null }));

/** Only the first box may refuse: a call waits for one more round trip at most. */
const limited = ([first, ...rest]: readonly BoxChoice[]): BoxChoice[] =>
  first === undefined ? [] : [first, ...unlimited(rest)];

const taggedOf = ({ model }: Wish): string | null => (model === null ? null : withTag(model));

function nobodyFor({ boxes }: Fleet, model: string | null): FailureReason {
  const holders = model === null ? [] : holdersOf(boxes, model);
  return model === null || holders.length === 0
    ? { reason: "no_box" }
    : { reason: "holders_away", model, boxes: holders };
}

type Tried = { place: Place | null; refusal: GatewayError | null };

/**
 * Tries the boxes in their order.
 * @param mayWait  waits at the last of them for an agent that drains or was lost a moment ago
 * @returns the last refusal, and the place if there is one
 */
async function tryAll(
  shell: Invocation,
  wish: Wish,
  choices: readonly BoxChoice[],
  fleet: Fleet,
  mayWait: boolean,
  streamTo: StreamTo,
): Promise<Tried> {
  const keepsText = inForce(settingsOf(shell.env), fleet.settings).logContent === "on";
  const isElsewhere = wish.model !== null && holdersOf(fleet.boxes, wish.model).length > 0;
  let refusal: GatewayError | null = null;
  for (const [index, choice] of choices.entries()) {
    const { box, openMost } = choice;
    const others = wish.mayMove ? choices.slice(index + 1, index + ATTEMPTS_MAX) : [];
    const waitMs = mayWait && index === choices.length - 1 ? patienceWith(choice) : 0;
    const to = { box, id: wish.id, model: taggedOf(wish), openMost, waitMs, keepsText };
    const newStream = (mayKeep: boolean) =>
      streamTo(choice, fleet, { keepsText: mayKeep, mayMove: others.length > 0 });
    try {
      const stream = await counted(to, (taken) => beginAt(shell, to, newStream, taken));
      return { place: { ...choice, stream, fleet, others, isElsewhere }, refusal };
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

const patienceWith = ({ reason }: BoxChoice): number =>
  reason === "only-holder" || reason === "operation" ? ONLY_HOLDER_MS : RECONNECT_MS;

/** Without it, a box answers 404, although one that is not known yet may have the model. */
const holdsIn =
  ({ boxes }: Fleet, model: string | null) =>
  (name: string) =>
    boxes.some((box) => box.name === name && holds(box, model));

/** @throws {GatewayError} `box_unknown` */
function candidates(fleet: Fleet, wish: Wish): BoxChoice[] {
  const { wantedBox, bodyBytes, conversation, numCtx } = wish;
  const boxes = fleet.boxes.filter(({ name }) => wish.policy?.boxes?.includes(name) ?? true);
  const model = taggedOf(wish);
  const prompt = wantedPrompt(bodyBytes);
  const kept = keptFor(conversation, prompt.promptTokens);
  const wanted = model === null ? null : { ...prompt, model, numCtx, kept };
  if (wantedBox === null) return chooseBoxes(boxes, wanted, presentFor(model, conversation));
  if (!boxes.some(({ name }) => name === wantedBox))
    throw new GatewayError({ reason: "box_unknown", box: wantedBox });
  return [{ box: wantedBox, reason: wish.wantedReason ?? "named", openMost: null }];
}

/** @throws {GatewayError} if the Box refuses the stream */
async function beginAt(
  shell: Invocation,
  to: Omit<Attach, "isResume">,
  newStream: (keepsText: boolean) => Promise<EdgeStream>,
  taken: (load: ModelLoad | null) => void,
): Promise<EdgeStream> {
  const stream = await newStream(to.keepsText);
  const { carried, rest } = carriedOf(stream.open());
  const answer = await attach(shell.env, { ...to, isResume: false }, carried);
  if (answer === "text is off") {
    correctFleet(({ settings }) => ({ settings: { ...settings, log_content: "off" } }));
    refreshFleet(shell);
    return beginAt(shell, { ...to, keepsText: false }, newStream, taken);
  }
  taken(answer === "lost" ? null : answer.load);
  if (answer === "lost" || answer.isRelayed) {
    stream.begin(answer === "lost" ? null : answer.socket, rest);
    return stream;
  }
  // The Box had to wait, is older, or the first frame is too large. The frames leave only now.
  const later = await newStream(to.keepsText);
  later.begin(answer.socket, later.open());
  return later;
}

/** Attaches a stream again, after it lost its socket. @throws {GatewayError} if the Box refuses */
export async function attachAgain(
  env: Bindings,
  to: Pick<Attach, "box" | "id" | "model">,
): Promise<WebSocket> {
  const first = { isResume: true, openMost: null, keepsText: false, waitMs: 0 };
  const answer = await attach(env, { ...to, ...first }, []);
  if (typeof answer === "string") throw new GatewayError({ reason: "internal" });
  return answer.socket;
}

type Answer =
  | { socket: WebSocket; isRelayed: boolean; load: ModelLoad | null }
  | "text is off"
  /** The Box may have passed the first frames on, or not. Only a resume can find out. */
  | "lost";

/** @throws {GatewayError} if the Box refuses the stream, and has passed nothing on */
async function attach(env: Bindings, to: Attach, carried: readonly Frame[]): Promise<Answer> {
  const { box } = to;
  let answer: Response;
  try {
    answer = await boxStubOf(env, box).fetch(attachUrl(to), { headers: attachHeaders(carried) });
  } catch (error) {
    // The Box is being restarted or moved.
    if (carried.length > 0) return "lost";
    throw new GatewayError({ reason: "box_down", box }, { cause: error });
  }
  const { webSocket: socket, headers } = answer;
  if (socket !== null)
    return { socket, isRelayed: headers.has(RELAYED_HEADER), load: loadIn(headers) };
  if (answer.status === IS_BUSIER) {
    noteLoad(to, loadIn(headers));
    throw new BusierThanKnown();
  }
  if (answer.status === TEXT_IS_OFF) return "text is off";
  const { error } = await answer.json<{ error?: { code?: string } }>();
  const reason =
    error?.code === "box_draining" || error?.code === "box_busy" ? error.code : "box_down";
  throw new GatewayError({ reason, box });
}
