/**
 * Frames: the messages between the two ends of a stream, and the two ends of a tunnel.
 *
 * Owns the shape of frames and their binary encoding. Has no sockets, clocks or Ollama, so that the
 * worker, the agent and the tests share it. README.md beside this file documents the wire.
 *
 * A WebSocket message is one or more frames back to back:
 *
 *     0        1                17        21        25
 *     ├─ type ─┼─ stream (16) ──┼─ seq ───┼─ length ┼─ payload …
 *
 * All integers are big-endian. `stream` is the request id (a UUID); the nil UUID stands for the
 * tunnel itself. Binary, because most frames carry bytes that must arrive unchanged.
 */
import { FRAME_BYTES_MAX } from "./limits.ts";

/** Codes on the wire. A code is never reused. */
export const FrameType = {
  // The tunnel itself (agent ⇄ Box).
  hello: 0x01,
  welcome: 0x02,
  records: 0x03,
  recorded: 0x04,
  readings: 0x05,
  watch: 0x06,
  drain: 0x07,
  settings: 0x08,
  renew: 0x09,
  certificate: 0x0a,
  update: 0x0b,
  // A stream, numbered: delivered once and in order, even if sockets are lost.
  open: 0x10,
  head: 0x11,
  data: 0x12,
  end: 0x13,
  // A stream, not numbered: valid whenever they arrive, harmless twice.
  ack: 0x20,
  resume: 0x21,
  abort: 0x22,
  waiting: 0x23,
  // A stream, from the Box to the edge only: the state of the agent's socket.
  gone: 0x30,
  back: 0x31,
  // A stream, from the Box to the edge only: its caller's key ends, or somebody stops the call.
  key: 0x32,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** A request id as lower-case text. Also the id of the request's stream. */
export type StreamId = string;

/** The stream id of the tunnel itself. */
export const TUNNEL: StreamId = "00000000-0000-0000-0000-000000000000";

/**
 * `seq` of a numbered frame: its number within its stream and direction, from 0. In ACK: the first
 * frame that was not consumed. In RESUME: the first frame that did not arrive. Otherwise 0.
 */
export type Frame = { type: FrameType; stream: StreamId; seq: number; payload: Uint8Array };

export const HEADER_BYTES = 25;
export const SEQ_MAX = 0xffff_ffff;
export const NO_PAYLOAD = new Uint8Array(0);

/**
 * Bytes that are not valid frames, or a frame that is not allowed. The socket that it came from is
 * closed with 1002.
 */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const TYPES: ReadonlySet<number> = new Set(Object.values(FrameType));
const isType = (code: number): code is FrameType => TYPES.has(code);

/** Encodes frames as one message. Copies the payloads. */
export function encodeFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const frame of frames) size += HEADER_BYTES + frame.payload.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { type, stream, seq, payload } of frames) {
    bytes[at] = type;
    writeId(bytes, at + 1, stream);
    view.setUint32(at + 17, seq);
    view.setUint32(at + 21, payload.length);
    bytes.set(payload, at + HEADER_BYTES);
    at += HEADER_BYTES + payload.length;
  }
  return bytes;
}

/**
 * Decodes the frames of one message. The payloads are views of it.
 *
 * @throws {FrameError} if the bytes are not complete frames of known types within the limits.
 *   Nothing of an invalid message is delivered.
 */
export function decodeFrames(message: ArrayBuffer | Uint8Array): Frame[] {
  const bytes = message instanceof Uint8Array ? message : new Uint8Array(message);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 0) throw new FrameError("an empty message");
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < HEADER_BYTES)
      throw new FrameError(`${bytes.length - at} stray bytes at ${at}`);
    const type = view.getUint8(at);
    if (!isType(type)) throw new FrameError(`unknown ${typeName(type)} at byte ${at}`);
    const length = view.getUint32(at + 21);
    if (length > FRAME_BYTES_MAX)
      throw new FrameError(`a frame of ${length} bytes; at most ${FRAME_BYTES_MAX}`);
    const end = at + HEADER_BYTES + length;
    if (end > bytes.length)
      throw new FrameError(
        `a frame of ${length} bytes, but only ${bytes.length - at - HEADER_BYTES} follow`,
      );
    const stream = readId(bytes, at + 1);
    if ((stream === TUNNEL) !== type < FrameType.open) {
      throw new FrameError(`${typeName(type)} on stream ${stream}`);
    }
    frames.push({
      type,
      stream,
      seq: view.getUint32(at + 17),
      payload: bytes.subarray(at + HEADER_BYTES, end),
    });
    at = end;
  }
  return frames;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns a frame of the tunnel with a JSON payload. */
export const tunnelFrame = (type: FrameType, value?: unknown): Frame => ({
  type,
  stream: TUNNEL,
  seq: 0,
  payload: jsonBytes(value),
});

/** Returns an unnumbered frame of a stream. `seq` is used by ACK and RESUME only. */
export const streamFrame = (
  type: FrameType,
  stream: StreamId,
  seq = 0,
  payload: Uint8Array = NO_PAYLOAD,
): Frame => ({
  type,
  stream,
  seq,
  payload,
});

/** Names a frame type in messages, e.g. `frame type 0x12`. */
export const typeName = (type: number): string => `frame type 0x${HEX[type]}`;

/** Encodes a value as a JSON payload; `undefined` as an empty one. */
export const jsonBytes = (value: unknown): Uint8Array =>
  value === undefined ? NO_PAYLOAD : encoder.encode(JSON.stringify(value));

/**
 * Parses a JSON payload by its schema.
 * @throws {FrameError} if it is not JSON, or does not match the schema
 */
export function parsePayload<T>(
  schema: {
    safeParse(value: unknown): { success: true; data: T } | { success: false; error: Error };
  },
  payload: Uint8Array,
): T {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(payload));
  } catch {
    throw new FrameError("the payload is not JSON");
  }
  const result = schema.safeParse(value);
  if (!result.success)
    throw new FrameError(`the payload has the wrong shape: ${result.error.message.slice(0, 300)}`);
  return result.data;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function readId(bytes: Uint8Array, at: number): StreamId {
  let id = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) id += "-";
    id += HEX[bytes[at + i] ?? 0];
  }
  return id;
}

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function writeId(bytes: Uint8Array, at: number, id: StreamId): void {
  if (!ID.test(id)) throw new FrameError(`not a stream id: ${id.slice(0, 64)}`);
  for (let i = 0, char = 0; i < 16; i++, char += 2) {
    if (id.charCodeAt(char) === 0x2d) char++;
    bytes[at + i] = (nibble(id.charCodeAt(char)) << 4) | nibble(id.charCodeAt(char + 1));
  }
}

const nibble = (code: number) => (code < 0x3a ? code - 0x30 : code - 0x57);
