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
import { ONLY_HOLDER_MS, RECONNECT_MS } from "../../protocol/limits.ts";
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
};

/** A box that took the call, and its stream there. */
export type Place = BoxChoice & { stream: EdgeStream; fleet: Fleet };

/** Makes a stream for a box, whose first frames leave now. */
export type StreamTo = (choice: BoxChoice, fleet: Fleet, keepsText: boolean) => Promise<EdgeStream>;

/** Failures for which the next box is tried, and the state in which the box is then. */
const TRY_NEXT = new Map<FailureReason["reason"], "down" | "draining" | null>([
  ["box_down", "down"],
  ["box_draining", "draining"],
  ["box_busy", null],
]);

/** @throws {GatewayError} if no box takes the call */
export async function placeFor(shell: Invocation, wish: Wish, streamTo: StreamTo): Promise<Place> {
  const { wantedBox, model, startedMs } = wish;
  let isCurrent = true;
  const known = await fleetFor(shell, startedMs, ({ boxes }, ageMs) => {
    isCurrent = !canServe(boxes, wantedBox, model, ageMs);
    return !isCurrent;
  });
  let choices = candidates(known, wish);
  const mayAsk = !isCurrent && wantedBox === null;
  if (mayAsk) choices = choices.filter(({ box }) => holdsIn(known, model)(box));
  const tryAll = (fleet: Fleet, boxes: readonly BoxChoice[], mayWait: boolean) =>
    tryBoxes(boxes, fleet, mayWait, (choice, waitMs) => {
      const keepsText = inForce(settingsOf(shell.env), fleet.settings).logContent === "on";
      const { box, openMost } = choice;
      const to = { box, id: wish.id, model: taggedOf(wish), openMost, waitMs, keepsText };
      const newStream = (mayKeep: boolean) => streamTo(choice, fleet, mayKeep);
      return counted(to, (taken) => beginAt(shell, to, newStream, taken));
    });
  const tryAt = (fleet: Fleet, boxes: readonly BoxChoice[], mayWait: boolean) =>
    tryAll(fleet, limited(boxes), mayWait).catch((error: unknown) => {
      if (!(error instanceof BusierThanKnown)) throw error;
      return tryAll(fleet, unlimited(candidates(fleet, wish)), mayWait);
    });
  let fleet = known;
  let tried = await tryAt(known, choices, !mayAsk);
  if (tried.place === null && mayAsk) {
    fleet = await fleetFor(shell, startedMs, () => false);
    tried = await tryAt(fleet, candidates(fleet, wish), true);
  } else if (tried.refusal !== null) refreshFleet(shell);
  if (tried.place !== null) keepOn(tried.place.box, wish.conversation, wish.bodyBytes);
  if (tried.place !== null) return tried.place;
  throw tried.refusal ?? new GatewayError(nobodyFor(fleet, model));
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

/**
 * Tries the boxes in their order.
 * @param mayWait  waits at the last of them for an agent that drains or was lost a moment ago
 * @returns the last refusal, and the place if there is one
 */
async function tryBoxes(
  choices: readonly BoxChoice[],
  fleet: Fleet,
  mayWait: boolean,
  begin: (choice: BoxChoice, waitMs: number) => Promise<EdgeStream>,
): Promise<{ place: Place | null; refusal: GatewayError | null }> {
  let refusal: GatewayError | null = null;
  for (const choice of choices) {
    const { box } = choice;
    try {
      const waits = mayWait && choice === choices.at(-1);
      const stream = await begin(choice, waits ? patienceWith(choice) : 0);
      return { place: { ...choice, stream, fleet }, refusal };
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
