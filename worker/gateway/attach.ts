/**
 * Attaches a stream to a Box. The stream begins with the request that attaches it.
 */
import type { Frame } from "../../protocol/frames.ts";
import {
  type Attach,
  attachHeaders,
  attachUrl,
  carriedOf,
  IS_BUSIER,
  KEYS_ARE_OLDER,
  LIMIT_IS_REACHED,
  loadIn,
  RELAYED_HEADER,
  TEXT_IS_OFF,
} from "../box/attach.ts";
import type { ModelLoad } from "../box/load.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import type { LimitReached } from "../keys/limits.ts";
import { noteLoad } from "./fleet.ts";
import { correctFleet, type Invocation, noteModels, refreshFleet } from "./known-fleet.ts";
import type { CallerKey } from "./known-keys.ts";
import type { EdgeStream } from "./stream/edge-stream.ts";

/** A Box refused a stream because another box is better, by the load that the isolate knows now. */
export class BusierThanKnown extends Error {}

/** A Box refused a stream because the keys have changed since the isolate read them. */
export class KeysOutdated extends Error {}

/**
 * Attaches a new stream to its Box.
 * @param newStream  makes the stream, again if its first frames have to leave again
 * @param taken      called with the load that the Box reports, once it has the stream
 * @throws {GatewayError} if the Box refuses the stream
 * @throws {BusierThanKnown} if another box is better, by the load that the isolate knows now
 * @throws {KeysOutdated} if the caller's key must be read again
 */
export async function beginAt(
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
  if (answer !== "lost") noteModels(shell, to.box, answer.load?.modelsAt);
  if (answer === "lost" || answer.isRelayed) {
    stream.begin(answer === "lost" ? null : answer.socket, rest);
    return stream;
  }
  // The Box had to wait, is older, or the first frame is too large. The frames leave only now.
  const later = await newStream(to.keepsText);
  later.begin(answer.socket, later.open());
  return later;
}

/**
 * Attaches a stream again, after it lost its socket.
 * @throws {GatewayError} if the Box refuses; `key_ended`
 */
export async function attachAgain(
  shell: Invocation,
  to: Pick<Attach, "box" | "id" | "model">,
  caller: CallerKey | null,
): Promise<WebSocket> {
  const key = caller?.attached ?? null;
  const again = { isResume: true, key, openMost: null, keepsText: false, waitMs: 0 };
  try {
    const answer = await attach(shell.env, { ...to, ...again }, []);
    if (typeof answer === "string") throw new GatewayError({ reason: "internal" });
    return answer.socket;
  } catch (error) {
    if (!(error instanceof KeysOutdated) || caller === null) throw error;
    await caller.renew(shell);
    return attachAgain(shell, to, caller);
  }
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
  if (answer.status === KEYS_ARE_OLDER) throw new KeysOutdated();
  if (answer.status === LIMIT_IS_REACHED)
    throw new GatewayError({ reason: "limit_reached", ...(await answer.json<LimitReached>()) });
  const { error } = await answer.json<{ error?: { code?: string } }>();
  if (error?.code === "limits_unchecked") throw new GatewayError({ reason: "limits_unchecked" });
  const reason =
    error?.code === "box_draining" || error?.code === "box_busy" ? error.code : "box_down";
  throw new GatewayError({ reason, box });
}
