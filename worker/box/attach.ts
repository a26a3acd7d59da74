/**
 * The request by which a Worker attaches a stream to its Box, and the Box's answer. Both ends are
 * deployed together, but one may be older while a deployment spreads.
 *
 * The first frames of a new stream travel with the request, in a header, because an upgrade has no
 * body. The Box passes them on before the stream has its socket. So a call waits for one round trip
 * to the Box, and not for a second one.
 */
import { KeyLimits } from "../../protocol/api/key-limits.ts";
import { encodeFrames, type Frame, HEADER_BYTES, type StreamId } from "../../protocol/frames.ts";
import { RECONNECT_MS } from "../../protocol/limits.ts";
import type { ModelLoad } from "./load.ts";

/**
 * A key that the edge made. `version`: that of the keys by which its Worker admitted the call. `isFresh`:
 * the Worker has read them since this Box refused the stream. `lineage`: where its use is counted.
 * `limits`: null for a call that is not counted.
 */
export type AttachKey = {
  id: string;
  version: number;
  isFresh: boolean;
  lineage: string;
  limits: KeyLimits | null;
};

export type Attach = {
  box: string;
  id: StreamId;
  /** The model that must be there, with its tag; null if none. */
  model: string | null;
  /** The key of the caller; null for other credentials. */
  key: AttachKey | null;
  /** The Box refuses the stream if more requests of the model are open; null for any number. */
  openMost: number | null;
  /** The stream had a socket before. */
  isResume: boolean;
  /** Its OPEN allows the agent to keep text. */
  keepsText: boolean;
  /** If the agent drains or was lost a moment ago, the stream waits for it, up to this time. */
  waitMs: number;
};

export const attachUrl = ({ box, id, model, key, openMost, isResume, keepsText, waitMs }: Attach) =>
  `https://box/attach?box=${encodeURIComponent(box)}&stream=${id}` +
  `${model === null ? "" : `&model=${encodeURIComponent(model)}`}` +
  `${key === null ? "" : keyPart(key)}` +
  `${openMost === null ? "" : `&most=${openMost}`}` +
  `${isResume ? "&resume=1" : ""}${keepsText ? "&keep_text=1" : ""}&wait=${waitMs}`;

export const attachOf = ({ searchParams }: URL): Attach => ({
  box: searchParams.get("box") ?? "",
  id: searchParams.get("stream") ?? "",
  model: searchParams.get("model"),
  key: keyIn(searchParams),
  openMost: searchParams.has("most") ? Number(searchParams.get("most")) : null,
  isResume: searchParams.get("resume") === "1",
  keepsText: searchParams.get("keep_text") === "1",
  // An older Worker omits the time.
  waitMs: Number(searchParams.get("wait") ?? RECONNECT_MS),
});

const keyPart = ({ id, version, isFresh, lineage, limits }: AttachKey): string =>
  `&key=${id}&keys=${version}${isFresh ? "&fresh=1" : ""}` +
  (limits === null
    ? ""
    : `&lineage=${lineage}&limits=${encodeURIComponent(JSON.stringify(limits))}`);

/** An older Worker omits the key. */
function keyIn(searchParams: URLSearchParams): AttachKey | null {
  const id = searchParams.get("key");
  if (id === null) return null;
  const version = Number(searchParams.get("keys"));
  const text = searchParams.get("limits");
  const limits = text === null ? null : KeyLimits.parse(JSON.parse(text));
  const lineage = searchParams.get("lineage") ?? id;
  return { id, version, isFresh: searchParams.get("fresh") === "1", lineage, limits };
}

/**
 * Bytes of frames in the request. In base64 they make a header of 16,000 characters: proxies and
 * servers commonly accept 16 KiB, and Cloudflare 128 KB for all headers of a request. OPEN and a body
 * of a few pages fit.
 */
export const CARRIED_BYTES_MAX = 12_000;

/** Divides the first frames of a stream into those that travel with the request, and the rest. */
export function carriedOf(frames: readonly Frame[]): { carried: Frame[]; rest: Frame[] } {
  let [count, bytes] = [0, 0];
  for (const { payload } of frames) {
    bytes += HEADER_BYTES + payload.length;
    if (bytes > CARRIED_BYTES_MAX) break;
    count++;
  }
  return { carried: frames.slice(0, count), rest: frames.slice(count) };
}

const FRAMES_HEADER = "x-frames";

export function attachHeaders(carried: readonly Frame[]): Record<string, string> {
  const upgrade = { upgrade: "websocket" };
  if (carried.length === 0) return upgrade;
  const bytes = encodeFrames(carried);
  // As an array, which it reads as one: spread, it costs six times as much.
  const text = String.fromCharCode.apply(null, bytes as unknown as number[]);
  return { ...upgrade, [FRAMES_HEADER]: btoa(text) };
}

/** Returns the frames of the request as one message; null without any. */
export function carriedIn(headers: Headers): Uint8Array | null {
  const base64 = headers.get(FRAMES_HEADER);
  if (base64 === null) return null;
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  // Twenty times as fast as Uint8Array.from.
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Set in the answer if the Box has passed the frames on. Absent from older ones. */
export const RELAYED_HEADER = "x-relayed";

/** The load of the model of a stream, in the answer. Absent from older Boxes. */
const LOAD_HEADER = "x-box-load";

export const loadHeaders = ({ open, slots, modelsAt }: ModelLoad): Record<string, string> => ({
  [LOAD_HEADER]:
    `open=${open}${slots === null ? "" : `&slots=${slots}`}` +
    `${modelsAt === undefined ? "" : `&models_at=${modelsAt}`}`,
});

/** Returns the load in the answer of a Box; null without any. */
export function loadIn(headers: Headers): ModelLoad | null {
  const text = headers.get(LOAD_HEADER);
  if (text === null) return null;
  const figures = new URLSearchParams(text);
  const slots = figures.get("slots");
  const modelsAt = figures.get("models_at");
  return {
    open: Number(figures.get("open")),
    slots: slots === null ? null : Number(slots),
    ...(modelsAt !== null && { modelsAt }),
  };
}

/** The status that refuses a stream because no text may be kept. Its Worker has older settings. */
export const TEXT_IS_OFF = 409;

/** The status that refuses a stream because its key has reached a limit, which the answer contains. */
export const LIMIT_IS_REACHED = 429;

/** The status that refuses a stream because the keys have changed since its Worker read them. */
export const KEYS_ARE_OLDER = 428;

/**
 * The status that refuses a stream because its box is busier than its Worker knew, which then chooses
 * again. The answer contains the load.
 */
export const IS_BUSIER = 412;
