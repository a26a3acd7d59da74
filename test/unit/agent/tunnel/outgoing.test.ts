import { expect, test, vi } from "vitest";
import { Outgoing } from "../../../../agent/tunnel/outgoing.ts";
import { SHORTEST_PAUSE_MS } from "../../../../agent/tunnel/pace.ts";
import { decodeFrames, type Frame, FrameType } from "../../../../protocol/frames.ts";
import { MESSAGE_BYTES_MAX } from "../../../../protocol/limits.ts";

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
  const outgoing = new Outgoing((message) => void messages.push(decodeFrames(message)));
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

/** Runs with a clock that stands still but for `pass`. */
function withClock(work: (pass: (ms: number) => void) => void): void {
  vi.useFakeTimers();
  try {
    work((ms) => void vi.advanceTimersByTime(ms));
  } finally {
    vi.useRealTimers();
  }
}

/** Marks a token of each stream every `everyMs`. @returns when messages left, ms */
function timesOf(everyMs: number, forMs: number, streams = 1): number[] {
  const times: number[] = [];
  withClock((pass) => {
    const startMs = performance.now();
    const outgoing = new Outgoing(() => times.push(performance.now() - startMs));
    outgoing.isOpen = true;
    const sources = Array.from({ length: streams }, (_, n) => ({ take: () => [data(n)] }));
    for (let atMs = 0; atMs < forMs; atMs += everyMs) {
      for (const source of sources) {
        outgoing.mark(source, "soon");
        pass(everyMs / streams);
      }
    }
  });
  return times;
}

const gapsOf = (times: readonly number[]): number[] =>
  times.slice(1).map((at, index) => at - (times[index] ?? 0));

test("sends the first tokens at the pace of the model, and later ones together", () => {
  const gaps = gapsOf(timesOf(33, 20_000));
  expect(gaps.slice(0, 17)).toEqual(Array(17).fill(33));
  expect(gaps.slice(30).every((gap) => gap >= 500 && gap <= 500 + 33)).toBe(true);
});

test("sends each token of a model that is no faster than its reader", () => {
  expect(timesOf(150, 30_000)).toEqual(Array.from({ length: 200 }, (_, n) => n * 150));
});

test("lets a token wait longer the further its reader is behind", () => {
  const longest = (everyMs: number) => Math.max(...gapsOf(timesOf(everyMs, 8_000)));
  expect(longest(120)).toBeLessThanOrEqual(240);
  expect(longest(80)).toBeGreaterThan(240);
  expect(longest(80)).toBeLessThan(longest(33));
});

test("lets the tokens of many slow streams wait for each other", () => {
  const perSecond = (streams: number) =>
    timesOf(150, 30_000, streams).filter((at) => at > 10_000).length / 20;
  expect(perSecond(1)).toBeCloseTo(1_000 / 150, 0);
  expect(perSecond(16)).toBeLessThan(1.2 * perSecond(1));
});

test("sends a token at most one shortest pause late if another stream has just sent", () => {
  withClock((pass) => {
    const { outgoing, messages } = opened();
    pass(SHORTEST_PAUSE_MS);
    outgoing.mark({ take: () => [data(1)] }, "now");
    pass(1);
    expect(messages).toHaveLength(1);
    outgoing.mark({ take: () => [data(2)] }, "soon");
    outgoing.mark({ take: () => [data(3)] }, "soon");
    pass(SHORTEST_PAUSE_MS - 2);
    expect(messages).toHaveLength(1);
    pass(1);
    expect(messages[1]?.map(({ stream }) => stream)).toEqual([id(2), id(3)]);
  });
});

test("takes waiting tokens of other streams along with an urgent frame", () => {
  withClock((pass) => {
    const { outgoing, messages } = opened();
    pass(SHORTEST_PAUSE_MS);
    outgoing.mark({ take: () => [data(1)] }, "now");
    pass(1);
    outgoing.mark({ take: () => [data(2)] }, "soon");
    outgoing.mark({ take: () => [data(3)] }, "now");
    pass(1);
    expect(messages[1]?.map(({ stream }) => stream)).toEqual([id(2), id(3)]);
  });
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
