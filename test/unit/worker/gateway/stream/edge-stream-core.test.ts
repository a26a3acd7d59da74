/** Cases that the simulation found, and the actions of the edge's end of a stream in them. */
import { expect, test } from "vitest";
import { HELD_BYTES_MAX } from "../../../../../protocol/ending.ts";
import {
  encodeFrames,
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  typeName,
} from "../../../../../protocol/frames.ts";
import {
  AGENT_FIRST_MS,
  GRACE_MS,
  HEARTBEAT_MS,
  NOTICE_MS,
  SILENCE_MS,
} from "../../../../../protocol/limits.ts";
import { BROKEN_BODY } from "../../../../../worker/errors.ts";
import type { EdgeStreamActions } from "../../../../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../../../../worker/gateway/stream/edge-stream-core.ts";
import {
  isProbeDue,
  newPulse,
  nextProbeMs,
  PROBE_MS,
  type Pulse,
} from "../../../../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../../../../support/chat-open.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";

const half = () => 0.5;
const begun = (pulse: Pulse = newPulse()) => {
  const core = new EdgeStreamCore(
    { id: ID, box: "b", open: CHAT_OPEN },
    new Uint8Array(3),
    pulse,
    half,
  );
  core.begin(0, core.open());
  return core;
};
const frame = (type: FrameType, seq = 0, payload: Uint8Array = NO_PAYLOAD): Frame => ({
  type,
  stream: ID,
  seq,
  payload,
});
const message = (...frames: Frame[]) => encodeFrames(frames);
const head = frame(
  FrameType.head,
  0,
  jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }),
);
const data = (seq: number, text: string) =>
  frame(FrameType.data, seq, new TextEncoder().encode(text));
const sentBy = ({ frames }: EdgeStreamActions) =>
  frames.map(({ type, seq }) => [typeName(type), seq]);
const abortOf = ({ frames }: EdgeStreamActions) =>
  frames
    .filter(({ type }) => type === FrameType.abort)
    .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)).code);

test("repeats a lost ACK with the resume, since the agent may be waiting for room", () => {
  const core = begun();
  core.received(message(head, data(1, "one\n")), 0);
  core.wrote(); // Consumed, but too little for an ACK of its own.
  core.received(message(frame(FrameType.gone)), 0);
  const acts = core.received(message(frame(FrameType.back)), 10);
  expect(sentBy(acts)).toEqual([
    [typeName(FrameType.ack), 2],
    [typeName(FrameType.resume), 2],
  ]);
});

test("sends ABORT for a caller that left while the agent was away, once it is back", () => {
  const core = begun();
  core.received(message(head, data(1, "one\n"), frame(FrameType.gone)), 0);
  const left = core.callerGone(10);
  expect([abortOf(left), left.isDone, left.ended]).toEqual([
    [],
    false,
    { by: "edge", status: "cancelled", httpStatus: 200, afterMs: 0 },
  ]);
  const back = core.received(message(frame(FrameType.back)), 500);
  expect([abortOf(back), back.isDone]).toEqual([["caller_gone"], true]);
});

test("sends ABORT for a caller that left while the Box was away, again once an agent is back", () => {
  const core = begun();
  core.lost(0);
  core.callerGone(10);
  const attached = core.attached(100);
  expect([abortOf(attached), attached.isDone]).toEqual([["caller_gone"], false]);
  expect(core.received(message(frame(FrameType.gone)), 101).isDone).toBe(false);
  expect(core.tick(2_000).isDone).toBe(false);
  const back = core.received(message(frame(FrameType.back)), 5_000);
  expect([abortOf(back), back.isDone]).toEqual([["caller_gone"], true]);
});

test("sends ABORT at once for a caller that leaves just after the agent came back", () => {
  const core = begun();
  core.received(message(frame(FrameType.gone)), 0);
  core.received(message(frame(FrameType.back)), 10);
  const left = core.callerGone(11);
  expect([abortOf(left), left.isDone]).toEqual([["caller_gone"], true]);
});

test("ends with the grace period if no agent comes back for the ABORT", () => {
  const core = begun();
  core.lost(0);
  core.callerGone(10);
  expect(core.nextTickMs(10)).toBe(GRACE_MS);
  expect(core.tick(GRACE_MS).isDone).toBe(true);
});

test("fails and records a call whose agent was restarted while it took a large body", () => {
  const core = new EdgeStreamCore(
    { id: ID, box: "b", open: CHAT_OPEN },
    new Uint8Array(300_000),
    newPulse(),
    half,
  );
  core.begin(0, core.open());
  core.received(message(frame(FrameType.ack, 2)), 0);
  core.received(message(frame(FrameType.gone), frame(FrameType.back)), 10);
  const acts = core.received(message(frame(FrameType.resume, 0)), 20);
  expect(acts.answer).toEqual({ kind: "failed", failure: { reason: "agent_restarted", box: "b" } });
  expect(acts.ended).toMatchObject({ by: "edge", status: "error", httpStatus: 502 });
  expect(abortOf(acts)).toEqual(["gave_up"]);
});

test("leaves the first record to a restarted agent that finds the request in its spool", () => {
  const acts = begun().received(aborted("lost", "restarted"), 0);
  expect(acts.answer).toEqual({ kind: "failed", failure: { reason: "agent_restarted", box: "b" } });
  expect(acts.ended).toMatchObject({ by: "edge", status: "error", afterMs: AGENT_FIRST_MS });
});

test("records a cancelled call after the agent, since the ABORT may be lost on its way", () => {
  expect(begun().callerGone(10).ended).toEqual({
    by: "edge",
    status: "cancelled",
    httpStatus: 499,
    afterMs: AGENT_FIRST_MS,
  });
});

test("answers a malformed upload with an error, stops the agent, and records it", () => {
  const acts = begun().bodyBroke();
  expect(acts.answer).toEqual({ kind: "failed", failure: BROKEN_BODY });
  expect(acts.ended).toMatchObject({ by: "edge", status: "error", httpStatus: 400 });
  expect(abortOf(acts)).toEqual(["gave_up"]);
});

test("ends at a frame of another stream, and passes none of its bytes on", () => {
  const core = begun();
  const other = { ...data(1, "secret"), stream: ID.replace("01", "02") };
  const acts = core.received(message(head, other), 0);
  expect(new TextDecoder().decode(acts.write ?? NO_PAYLOAD)).toMatch(/^\{"error":/);
  expect(abortOf(acts)).toEqual(["gave_up"]);
});

test("probes often enough that a link that swallows packets is noticed in time", () => {
  // The worst case: the last heartbeat just before the loss, and a probe just before the Box can
  // know of it.
  expect(SILENCE_MS + PROBE_MS).toBeLessThanOrEqual(NOTICE_MS - 100);
  expect(SILENCE_MS).toBeGreaterThan(2 * HEARTBEAT_MS);
  const core = begun();
  expect(sentBy(core.tick(PROBE_MS - 1))).toEqual([]);
  expect(sentBy(core.tick(PROBE_MS))).toEqual([[typeName(FrameType.ack), 0]]);
});

test("probes with one stream for all, and not at all after a frame of the agent", () => {
  const pulse = newPulse();
  const [one, other] = [begun(pulse), begun(pulse)];
  expect(sentBy(one.tick(PROBE_MS))).toHaveLength(1);
  expect(sentBy(other.tick(PROBE_MS))).toHaveLength(0);
  one.received(message(head), 2 * PROBE_MS);
  expect(sentBy(other.tick(2 * PROBE_MS))).toHaveLength(0);
});

test("does not probe while the agent is known to be away, or nobody waits", () => {
  const [away, over] = [begun(), begun()];
  away.received(message(frame(FrameType.gone)), 0);
  over.callerGone(0);
  expect([away.tick(10_000), over.tick(10_000)].map(sentBy)).toEqual([[], []]);
});

test("finds a probe due at the scheduled time, despite fractions of a millisecond", () => {
  for (let i = 0; i < 10_000; i++) {
    const pulse = { ...newPulse(), lastSeenMs: Math.sqrt(i) * 1_000.1, open: 1 };
    const atMs = nextProbeMs(pulse, pulse.lastSeenMs, half);
    expect(isProbeDue(pulse, atMs)).toBe(true);
  }
});

test("has each of very many streams check rarely, and all of them together often", () => {
  const pulse = { ...newPulse(), open: 10_000 };
  const waits = Array.from({ length: 100 }, (_, i) => nextProbeMs(pulse, 0, () => i / 100));
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(2_000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
});

const json = frame(
  FrameType.head,
  0,
  jsonBytes({ status: 200, headers: [["content-type", "application/json; charset=utf-8"]] }),
);
const unstreamed = () => {
  const core = new EdgeStreamCore(
    { id: ID, box: "b", open: { ...CHAT_OPEN, stream: false } },
    null,
    newPulse(),
    half,
  );
  core.begin(0, core.open());
  return core;
};
const aborted = (code: string, text: string) =>
  message(frame(FrameType.abort, 0, jsonBytes({ code, message: text })));

test("begins a JSON answer once it is complete, so that a failure can still set the status", () => {
  const whole = unstreamed();
  expect(whole.received(message(json, data(1, '{"half":')), 0).answer).toBeNull();
  const acts = whole.received(message(data(2, "1}"), frame(FrameType.end, 3)), 0);
  expect(acts.answer).toMatchObject({
    kind: "whole",
    status: 200,
    body: new TextEncoder().encode('{"half":1}'),
  });

  const broken = unstreamed();
  broken.received(message(json, data(1, '{"half":')), 0);
  const failed = broken.received(aborted("ollama_broke", "closed"), 0);
  expect(failed.answer).toEqual({
    kind: "failed",
    failure: { reason: "ollama_broke", message: "closed" },
  });

  const lost = unstreamed();
  lost.received(message(json, data(1, '{"half":'), frame(FrameType.gone)), 0);
  expect(lost.tick(GRACE_MS).ended).toMatchObject({ by: "edge", status: "error", httpStatus: 504 });
  const left = unstreamed();
  left.received(message(json, data(1, '{"half":')), 0);
  expect(left.callerGone(1).ended).toMatchObject({ status: "cancelled", httpStatus: 499 });
});

// The call may move, or the model be elsewhere: the answer is decided once all of it is here.
test.each([404, 500, 503])("holds back a %s of a streamed call until it is complete", (status) => {
  const headers = [["content-type", "application/json; charset=utf-8"]];
  const failing = frame(FrameType.head, 0, jsonBytes({ status, headers }));
  const core = begun();
  expect(core.received(message(failing, data(1, '{"error":"no"}')), 0).answer).toBeNull();
  const acts = core.received(message(frame(FrameType.end, 2)), 1);
  expect(acts.answer).toMatchObject({ kind: "whole", status });
});

test("begins a JSON answer that is too long to hold back before it is complete", () => {
  const core = unstreamed();
  const long = (seq: number) => frame(FrameType.data, seq, new Uint8Array(HELD_BYTES_MAX / 2));
  expect(core.received(message(json, long(1)), 0).answer).toBeNull();
  const acts = core.received(message(long(2)), 0);
  expect([acts.answer?.kind, acts.write?.length]).toEqual(["streamed", HELD_BYTES_MAX]);
  expect(core.callerGone(1).ended).toMatchObject({ status: "cancelled", httpStatus: 200 });
});

test.each(["application/x-ndjson", "text/event-stream", "application/octet-stream"])(
  "begins an answer of type %s at once",
  (type) => {
    const begins = frame(
      FrameType.head,
      0,
      jsonBytes({ status: 200, headers: [["content-type", type]] }),
    );
    expect(unstreamed().received(message(begins), 0).answer).toMatchObject({ kind: "streamed" });
  },
);
