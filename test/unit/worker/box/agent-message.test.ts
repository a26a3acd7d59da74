import { expect, test } from "vitest";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  streamFrame,
  tunnelFrame,
} from "../../../../protocol/frames.ts";
import { streamParts } from "../../../../worker/box/agent-message.ts";

const ONE = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER = "01890a5d-ac96-774b-bcce-b302099a8058";
const data = (stream: string, seq: number): Frame =>
  streamFrame(FrameType.data, stream, seq, new Uint8Array([seq]));

function partsOf(...frames: Frame[]) {
  const message = encodeFrames(frames);
  return Array.from(streamParts(decodeFrames(message), message), ({ id, bytes }) => ({
    id,
    frames: decodeFrames(bytes),
  }));
}

test("passes the frames of each stream on as one unchanged message, without those of the tunnel", () => {
  const tunnel = tunnelFrame(FrameType.recorded, { position: 1 });
  expect(partsOf(data(ONE, 0), data(ONE, 1), tunnel, data(OTHER, 0), tunnel)).toEqual([
    { id: ONE, frames: [data(ONE, 0), data(ONE, 1)] },
    { id: OTHER, frames: [data(OTHER, 0)] },
  ]);
});

test.each(["open", "gone", "back"] as const)("refuses %s from an agent", (type) => {
  expect(() => partsOf(streamFrame(FrameType[type], ONE))).toThrow(FrameError);
});
