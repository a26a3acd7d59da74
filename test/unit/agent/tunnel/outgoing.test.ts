import { expect, test, vi } from "vitest";
import { Outgoing } from "../../../../agent/tunnel/outgoing.ts";
import { decodeFrames, type Frame, FrameType } from "../../../../protocol/frames.ts";
import { FLUSH_MS, MESSAGE_BYTES_MAX } from "../../../../protocol/limits.ts";

const id = (n: number) => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, "0")}`;
const data = (n: number, length = 10): Frame => ({
  type: FrameType.data,
  stream: id(n),
  seq: 0,
  payload: new Uint8Array(length),
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

function opened(): { outgoing: Outgoing; messages: Frame[][] } {
  const messages: Frame[][] = [];
  const outgoing = new Outgoing((message) => messages.push(decodeFrames(message)));
  outgoing.isOpen = true;
  return { outgoing, messages };
}

test("sends all urgent frames of one turn in one message", async () => {
  const { outgoing, messages } = opened();
  outgoing.now(data(1));
  outgoing.mark({ take: () => [data(2)] }, "now");
  outgoing.mark({ take: () => [data(3)] }, "now");
  await turn();
  expect(messages.map((frames) => frames.map(({ stream }) => stream))).toEqual([
    [id(1), id(2), id(3)],
  ]);
});

test("holds back frames that can wait for one flush interval, or until an urgent one leaves", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { outgoing, messages } = opened();
    await turn();
    outgoing.mark({ take: () => [data(1)] }, "soon");
    vi.advanceTimersByTime(FLUSH_MS - 1);
    await turn();
    expect(messages).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(messages).toHaveLength(1);

    outgoing.mark({ take: () => [data(2)] }, "soon");
    outgoing.mark({ take: () => [data(3)] }, "now");
    await turn();
    expect(messages[1]?.map(({ stream }) => stream)).toEqual([id(2), id(3)]);
  } finally {
    vi.useRealTimers();
  }
});

test("never sends a message beyond the limit", async () => {
  const { outgoing, messages } = opened();
  const big = MESSAGE_BYTES_MAX / 4;
  outgoing.now(...Array.from({ length: 10 }, (_, n) => data(n, big)));
  await turn();
  expect(messages.flat()).toHaveLength(10);
  for (const frames of messages)
    expect(frames.reduce((sum, { payload }) => sum + payload.length, 0)).toBeLessThanOrEqual(
      MESSAGE_BYTES_MAX,
    );
});

test("takes nothing from a stream while the tunnel is down, so nothing is lost", async () => {
  const { outgoing, messages } = opened();
  outgoing.isOpen = false;
  let taken = 0;
  const source = {
    take: () => {
      taken++;
      return [data(1)];
    },
  };
  outgoing.mark(source, "now");
  await turn();
  expect([taken, messages.length]).toEqual([0, 0]);
  outgoing.isOpen = true;
  await turn();
  expect([taken, messages.length]).toEqual([1, 1]);
});
