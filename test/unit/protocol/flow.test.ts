import fc from "fast-check";
import { expect, test } from "vitest";
import { Receiver, Sender } from "../../../protocol/flow.ts";
import { type Frame, FrameError, FrameType } from "../../../protocol/frames.ts";
import { ACK_EVERY_BYTES, DATA_BYTES_MAX, WINDOW_BYTES } from "../../../protocol/limits.ts";

const STREAM = "01890a5d-ac96-774b-bcce-b302099a8057";
const data = (length: number) => new Uint8Array(length);

test("a sender keeps frames until they are acknowledged, and its room follows", () => {
  const sender = new Sender(STREAM, 100);
  sender.frame(FrameType.data, data(60));
  sender.frame(FrameType.data, data(60));
  expect(sender.room).toBe(-20);
  expect(sender.acknowledge(1)).toBe(true);
  expect(sender.room).toBe(40);
  expect(sender.acknowledge(1)).toBe(false);
  expect(sender.isSettled).toBe(false);
  sender.acknowledge(2);
  expect(sender.isSettled).toBe(true);
  expect(sender.room).toBe(100);
});

test("a sender repeats the frames that did not arrive, without making room", () => {
  const sender = new Sender(STREAM, 100);
  for (let i = 0; i < 3; i++) sender.frame(FrameType.data, data(10));
  expect(sender.since(1).map(({ seq }) => seq)).toEqual([1, 2]);
  expect(sender.room).toBe(70);
});

test("a sender refuses to repeat frames that were acknowledged", () => {
  const sender = new Sender(STREAM);
  for (let i = 0; i < 3; i++) sender.frame(FrameType.data, data(10));
  sender.acknowledge(2);
  expect(sender.since(2)).toHaveLength(1);
  expect(() => sender.since(1)).toThrow(FrameError);
});

test("a receiver refuses a sender that exceeds its window", () => {
  const receiver = new Receiver();
  const frame = (seq: number): Frame => ({
    type: FrameType.data,
    stream: STREAM,
    seq,
    payload: data(DATA_BYTES_MAX),
  });
  const allowed = WINDOW_BYTES / DATA_BYTES_MAX + 1;
  for (let seq = 0; seq < allowed; seq++) expect(receiver.accept(frame(seq))).toBe("new");
  expect(() => receiver.accept(frame(allowed))).toThrow(FrameError);
  receiver.consume(1, DATA_BYTES_MAX);
  expect(receiver.accept(frame(allowed))).toBe("new");
});

test("a sender refuses an acknowledgement of frames that it never sent", () => {
  const sender = new Sender(STREAM);
  sender.frame(FrameType.end);
  expect(() => sender.acknowledge(2)).toThrow(FrameError);
  expect(() => sender.since(2)).toThrow(FrameError);
});

test("a receiver takes each frame once and in order, and detects a gap", () => {
  const receiver = new Receiver();
  const [a, b, c] = [0, 1, 2].map(
    (seq): Frame => ({ type: FrameType.data, stream: STREAM, seq, payload: data(1) }),
  ) as [Frame, Frame, Frame];
  expect(receiver.accept(a)).toBe("new");
  expect(receiver.accept(a)).toBe("drop");
  expect(receiver.accept(c)).toBe("gap");
  // Only once: otherwise each frame behind a gap would bring the whole window again.
  expect(receiver.accept(c)).toBe("drop");
  expect(receiver.next).toBe(1);
  expect(receiver.accept(b)).toBe("new");
  expect(receiver.accept(c)).toBe("new");
});

test("an acknowledgement is due after each consumed quarter of a window", () => {
  const receiver = new Receiver();
  expect(receiver.consume(1, ACK_EVERY_BYTES - 1)).toBe(false);
  expect(receiver.consume(2, 1)).toBe(true);
  expect(receiver.consume(3, 1)).toBe(false);
  expect(receiver.consumed).toBe(3);
});

// The link loses everything in flight at each cut.
test("bytes arrive once and in order over a link that is cut anywhere", () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("send" as const),
        bytes: fc.integer({ min: 1, max: 50 }),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("deliver" as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("consume" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("cut" as const) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const sender = new Sender(STREAM, 200);
      const receiver = new Receiver();
      let wire: Frame[] = [];
      const sent: number[] = [];
      const received: Frame[] = [];
      const deliver = () => {
        const frame = wire.shift();
        if (frame === undefined) return;
        const verdict = receiver.accept(frame);
        if (verdict === "new") received.push(frame);
        expect(verdict).not.toBe("gap"); // A link keeps the order, and each cut is followed by a resume.
      };
      let consumed = 0;
      for (const each of steps) {
        if (each.do === "send" && sender.room > 0) {
          const payload = Uint8Array.from(
            { length: each.bytes },
            (_, i) => (sent.length + i) % 256,
          );
          sent.push(...payload);
          wire.push(sender.frame(FrameType.data, payload));
        } else if (each.do === "deliver") deliver();
        else if (each.do === "consume" && consumed < received.length) {
          const frame = received[consumed++] as Frame;
          receiver.consume(frame.seq + 1, frame.payload.length);
          sender.acknowledge(receiver.consumed);
        } else if (each.do === "cut") wire = sender.since(receiver.next);
        expect(200 - sender.room).toBeLessThanOrEqual(200 + 50);
      }
      while (wire.length > 0) deliver();
      expect(received.flatMap((frame) => [...frame.payload])).toEqual(sent);
    }),
    { numRuns: 300 },
  );
});
