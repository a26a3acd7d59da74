import { expect, test } from "vitest";
import { type Frame, FrameError, FrameType, streamFrame } from "../../../protocol/frames.ts";
import { ACK_EVERY_BYTES, WINDOW_BYTES } from "../../../protocol/limits.ts";
import { StreamEnd } from "../../../protocol/stream-end.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const data = (seq: number, bytes = 1): Frame =>
  streamFrame(FrameType.data, ID, seq, new Uint8Array(bytes));
const ack = (seq: number): Frame => streamFrame(FrameType.ack, ID, seq);
const resume = (seq: number): Frame => streamFrame(FrameType.resume, ID, seq);

test("a gap is answered with one RESUME, however many frames follow it", () => {
  const end = new StreamEnd(ID);
  expect(end.accept(data(2))).toEqual({ isNew: false, replies: [resume(0)] });
  expect(end.accept(data(3))).toEqual({ isNew: false, replies: [] });
  expect(end.accept(data(0))).toEqual({ isNew: true, replies: [] });
  expect(end.accept(data(2))).toEqual({ isNew: false, replies: [resume(1)] });
});

test("RESUME follows an ACK of what was consumed, since that ACK may be lost", () => {
  const end = new StreamEnd(ID);
  expect(end.requestResume()).toEqual([resume(0)]);
  for (const seq of [0, 1]) end.accept(data(seq));
  expect(end.consume(1, 1)).toEqual([]); // too little for an ACK of its own
  expect(end.requestResume()).toEqual([ack(1), resume(2)]);
  expect(end.accept(data(3)).replies).toEqual([ack(1), resume(2)]);
});

test("an ACK is due after each quarter of a window that was consumed, and possible at any time", () => {
  const end = new StreamEnd(ID);
  expect(end.consume(1, ACK_EVERY_BYTES - 1)).toEqual([]);
  expect(end.consume(2, 1)).toEqual([ack(2)]);
  end.consume(3, 0);
  expect(end.acknowledge()).toEqual(ack(3));
});

test("a RESUME is answered with the missing frames and makes no room", () => {
  const end = new StreamEnd(ID);
  const sent = [1, 2, 3].map((bytes) => end.frame(FrameType.data, new Uint8Array(bytes)));
  expect(end.missing(resume(1))).toEqual(sent.slice(1));
  expect([end.room, end.keptBytes, end.isSettled]).toEqual([WINDOW_BYTES - 6, 6, false]);
  expect(end.acknowledged(ack(3))).toBe(true);
  expect([end.room, end.keptBytes, end.isSettled]).toEqual([WINDOW_BYTES, 0, true]);
});

test("a RESUME of acknowledged frames comes from an end that has lost its state", () => {
  const end = new StreamEnd(ID);
  end.frame(FrameType.open);
  end.frame(FrameType.end);
  end.acknowledged(ack(1));
  expect([0, 1, 2].map((seq) => end.isForgotten(resume(seq)))).toEqual([true, false, false]);
  expect(() => end.missing(resume(0))).toThrow(FrameError);
});

test("an ACK or RESUME of frames that were never sent is refused", () => {
  const end = new StreamEnd(ID);
  end.frame(FrameType.open);
  expect(() => end.acknowledged(ack(2))).toThrow(FrameError);
  expect(() => end.missing(resume(2))).toThrow(FrameError);
});
