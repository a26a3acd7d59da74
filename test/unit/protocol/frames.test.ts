import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  parsePayload,
  TUNNEL,
} from "../../../protocol/frames.ts";
import { FRAME_BYTES_MAX } from "../../../protocol/limits.ts";
import { Recorded } from "../../../protocol/messages.ts";

const STREAM = "01890a5d-ac96-774b-bcce-b302099a8057";
const text = (value: string) => new TextEncoder().encode(value);
const bytes = (hex: string) =>
  Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");

// The key is the wire, so this table is also the protocol by example in protocol/README.md.
const FRAMES: Record<string, Frame> = {
  "06 00000000000000000000000000000000 00000000 00000000": {
    type: FrameType.watch,
    stream: TUNNEL,
    seq: 0,
    payload: NO_PAYLOAD,
  },
  "04 00000000000000000000000000000000 00000000 0000000e 7b22706f736974696f6e223a377d": {
    type: FrameType.recorded,
    stream: TUNNEL,
    seq: 0,
    payload: text('{"position":7}'),
  },
  "12 01890a5dac96774bbcceb302099a8057 00000001 00000002 7b7d": {
    type: FrameType.data,
    stream: STREAM,
    seq: 1,
    payload: text("{}"),
  },
  "13 01890a5dac96774bbcceb302099a8057 00000002 00000000": {
    type: FrameType.end,
    stream: STREAM,
    seq: 2,
    payload: NO_PAYLOAD,
  },
  "20 01890a5dac96774bbcceb302099a8057 00000003 00000000": {
    type: FrameType.ack,
    stream: STREAM,
    seq: 3,
    payload: NO_PAYLOAD,
  },
  "21 01890a5dac96774bbcceb302099a8057 00000001 00000000": {
    type: FrameType.resume,
    stream: STREAM,
    seq: 1,
    payload: NO_PAYLOAD,
  },
  "22 01890a5dac96774bbcceb302099a8057 00000000 00000002 7b7d": {
    type: FrameType.abort,
    stream: STREAM,
    seq: 0,
    payload: text("{}"),
  },
  "23 01890a5dac96774bbcceb302099a8057 00000000 00000039 7b22706f736974696f6e223a322c226574615f6d73223a393030302c22736c6f7473223a312c2269735f6c6f6164696e67223a66616c73657d":
    {
      type: FrameType.waiting,
      stream: STREAM,
      seq: 0,
      payload: text('{"position":2,"eta_ms":9000,"slots":1,"is_loading":false}'),
    },
  "30 01890a5dac96774bbcceb302099a8057 00000000 00000000": {
    type: FrameType.gone,
    stream: STREAM,
    seq: 0,
    payload: NO_PAYLOAD,
  },
  "32 01890a5dac96774bbcceb302099a8057 00000000 00000022 7b22656e64735f61745f6d73223a302c227374617465223a227265766f6b6564227d":
    {
      type: FrameType.key,
      stream: STREAM,
      seq: 0,
      payload: text('{"ends_at_ms":0,"state":"revoked"}'),
    },
};

test("protocol/README.md lists the same frames", () => {
  const readme = readFileSync(new URL("../../../protocol/README.md", import.meta.url), "utf8");
  const listed = Array.from(readme.matchAll(/^\| `([0-9a-f ]+)` \|/gm), ([, wire]) => wire);
  expect(listed).toEqual(Object.keys(FRAMES));
});

test.each(Object.entries(FRAMES))("encodes and decodes frame %s", (wire, frame) => {
  expect(hex(encodeFrames([frame]))).toBe(wire.replaceAll(" ", ""));
  expect(decodeFrames(bytes(wire))).toEqual([frame]);
});

test("decodes several frames of one message in order", () => {
  const frames = Object.values(FRAMES);
  expect(decodeFrames(encodeFrames(frames))).toEqual(frames);
});

const HEADER = "12 01890a5dac96774bbcceb302099a8057 00000001";
const REFUSED: [why: string, wire: string, message: RegExp][] = [
  ["nothing", "", /empty message/],
  ["half a header", "12 01890a", /stray bytes/],
  [
    "an unknown type",
    "7f 01890a5dac96774bbcceb302099a8057 00000000 00000000",
    /unknown frame type 0x7f/,
  ],
  ["a truncated payload", `${HEADER} 00000003 7b7d`, /frame of 3 bytes, but only 2/],
  [
    "a payload beyond the limit",
    `${HEADER} ${(FRAME_BYTES_MAX + 1).toString(16).padStart(8, "0")}`,
    /at most/,
  ],
  ["bytes after the last frame", `${HEADER} 00000001 7b 00`, /stray bytes/],
  [
    "DATA on the tunnel itself",
    "12 00000000000000000000000000000000 00000000 00000000",
    /on stream 0000/,
  ],
  ["HELLO on a stream", "01 01890a5dac96774bbcceb302099a8057 00000000 00000000", /on stream 0189/],
];

test.each(REFUSED)("refuses %s", (_why, wire, message) => {
  expect(() => decodeFrames(bytes(wire))).toThrow(FrameError);
  expect(() => decodeFrames(bytes(wire))).toThrow(message);
});

const anyFrame = fc
  .tuple(
    fc.constantFrom(...Object.values(FrameType)),
    fc.uuid().filter((id) => id !== TUNNEL),
    fc.nat(0xffff_ffff),
    fc.uint8Array({ maxLength: 300 }),
  )
  .map(
    ([type, stream, seq, payload]): Frame => ({
      type,
      stream: type < FrameType.open ? TUNNEL : stream,
      seq,
      payload,
    }),
  );

test("encodes and decodes any frames", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 8 }), (frames) => {
      expect(decodeFrames(encodeFrames(frames))).toEqual(frames);
    }),
  );
});

test("reads any bytes as frames or refuses them with a FrameError", () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Near misses: a valid message with one byte changed.
    fc
      .tuple(fc.array(anyFrame, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(255))
      .map(([frames, at, byte]) => {
        const message = encodeFrames(frames);
        message[at % message.length] = byte;
        return message;
      }),
  );
  fc.assert(
    fc.property(garbage, (message) => {
      try {
        expect(hex(encodeFrames(decodeFrames(message)))).toBe(hex(message));
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("refuses a payload that is not JSON or has the wrong shape", () => {
  expect(parsePayload(Recorded, jsonBytes({ position: 3, later: "field" }))).toEqual({
    position: 3,
  });
  expect(() => parsePayload(Recorded, text("{"))).toThrow(FrameError);
  expect(() => parsePayload(Recorded, bytes("ff"))).toThrow(FrameError);
  expect(() => parsePayload(Recorded, jsonBytes({ position: -1 }))).toThrow(/wrong shape/);
});

test("refuses to encode a stream id that is not a UUID", () => {
  expect(() =>
    encodeFrames([{ type: FrameType.end, stream: "req-1", seq: 0, payload: NO_PAYLOAD }]),
  ).toThrow(FrameError);
});
