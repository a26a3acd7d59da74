/** Cases that the simulation found, and the actions of the box's end of a stream in them. */
import { expect, test } from "vitest";
import { AgentStreamCore } from "../../../../agent/tunnel/stream-core.ts";
import { HELD_BYTES_MAX } from "../../../../protocol/ending.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
} from "../../../../protocol/frames.ts";
import { DATA_BYTES_MAX, GRACE_MS } from "../../../../protocol/limits.ts";
import { listedSpool, tableWith } from "../../../support/stream-table.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const frame = (type: FrameType, seq = 0, payload: Uint8Array = NO_PAYLOAD): Frame => ({
  type,
  stream: ID,
  seq,
  payload,
});
const abort = (more: object) =>
  frame(FrameType.abort, 0, jsonBytes({ code: "caller_gone", message: "x", ...more }));

test("repeats a lost ACK with the resume, since the edge may be waiting for room for its body", () => {
  const core = new AgentStreamCore(ID, true, { stream: false });
  core.received(frame(FrameType.open));
  core.received(frame(FrameType.data, 1, new Uint8Array(DATA_BYTES_MAX - 1)));
  expect(core.bodyTaken().frames).toEqual([]); // Consumed, but too little for an ACK of its own.
  core.detach(0);
  const { frames } = core.received(frame(FrameType.resume, 0));
  expect(frames.map(({ type, seq }) => [type, seq])).toEqual([
    [FrameType.ack, 2],
    [FrameType.resume, 2],
  ]);
});

test.each([
  ["whole", false],
  ["part by part", true],
])("keeps a body that goes to Ollama %s after its message is overwritten", (_how, isStreamed) => {
  const core = new AgentStreamCore(ID, isStreamed, { stream: false });
  core.received(frame(FrameType.open));
  // A WebSocket delivers Buffers, whose slices are views.
  const message = Buffer.from("between body between");
  const acts = core.received(frame(FrameType.data, 1, message.subarray(8, 12)));
  message.fill(0);
  const { localRequest } = core.received(frame(FrameType.end, 2));
  const body = isStreamed ? acts.write : localRequest?.body;
  expect(new TextDecoder().decode(body ?? NO_PAYLOAD)).toBe("body");
});

test.each([
  ["longer", 3],
  ["shorter", 5],
])("refuses a body that is %s than the edge announced", (_how, announced) => {
  const core = new AgentStreamCore(ID, false, { stream: false }, announced);
  core.received(frame(FrameType.open));
  expect(() => {
    core.received(frame(FrameType.data, 1, Buffer.from("body")));
    core.received(frame(FrameType.end, 2));
  }).toThrow(FrameError);
});

function answered(): AgentStreamCore {
  const core = new AgentStreamCore(ID, false, { stream: true });
  core.received(frame(FrameType.open));
  core.received(frame(FrameType.end, 1));
  core.answerHead(200, []);
  core.answerData(new Uint8Array(10));
  return core;
}

test("takes a socket that is lost after the whole answer for a lost ACK, not for a caller that left", () => {
  const whole = answered();
  whole.answerEnd();
  whole.take();
  expect(whole.received(abort({ presumed: true })).outcome).toEqual({ kind: "complete" });
  const part = answered();
  part.take();
  expect(part.received(abort({ presumed: true })).outcome).toEqual({ kind: "cancelled" });
  const left = answered();
  left.answerEnd();
  left.take();
  expect(left.received(abort({})).outcome).toEqual({ kind: "cancelled" });
});

test.each<[name: string, frames: Frame[]]>([
  ["begins twice", [frame(FrameType.open), frame(FrameType.open, 1)]],
  ["ends twice", [frame(FrameType.open), frame(FrameType.end, 1), frame(FrameType.end, 2)]],
  [
    "goes on after its end",
    [frame(FrameType.open), frame(FrameType.end, 1), frame(FrameType.data, 2)],
  ],
  ["has no beginning", [frame(FrameType.data)]],
])("refuses a request that %s", (_name, frames) => {
  for (const streamsBody of [true, false]) {
    const core = new AgentStreamCore(ID, streamsBody, { stream: false });
    expect(() => frames.forEach((each) => void core.received(each))).toThrow(FrameError);
  }
});

/** A table with one stream that Ollama never answers. `more`: fields of its OPEN. */
function tableWithStream({ forbidsText = false, more = {}, body = "" } = {}) {
  const clock = { nowMs: 0 };
  const { spool, begun, records } = listedSpool();
  const table = tableWith({ spool, now: () => clock.nowMs, forbidsText: () => forbidsText });
  const open = {
    method: "GET",
    path: "/api/tags",
    headers: [],
    endpoint: "/api/tags",
    api: "ollama",
    model: null,
    stream: false,
    started_at: "2026-08-01T00:00:00.000Z",
    keep_text: false,
    key_id: null,
    client_ip: null,
    user_agent: null,
    ...more,
  };
  table.attach(true);
  table.receive(frame(FrameType.open, 0, jsonBytes(open)));
  if (body !== "") table.receive(frame(FrameType.data, 1, new TextEncoder().encode(body)));
  table.receive(frame(FrameType.end, body === "" ? 1 : 2));
  return { table, clock, records, begun };
}

test("ends a stream that the edge does not resume within seconds, long before the grace period ends", () => {
  const { table, clock, records } = tableWithStream();
  table.detach();
  clock.nowMs = 3_000;
  table.attach(true);
  clock.nowMs = 7_900;
  table.giveUpLost();
  expect(table.size).toBe(1);
  clock.nowMs = 8_100;
  table.giveUpLost();
  expect(table.size).toBe(0);
  expect(records).toMatchObject([{ status: "error", failed_at: "tunnel" }]);
});

test("ends the latency of a stream that nobody resumes when its tunnel was lost", () => {
  const { table, clock, records } = tableWithStream();
  clock.nowMs = 1_600;
  table.detach();
  clock.nowMs = 7_000;
  table.attach(true);
  clock.nowMs = 13_000;
  table.giveUpLost();
  expect(records).toMatchObject([{ status: "error", latency_ms: 1_600 }]);
});

test("writes no text into the spool while that is forbidden, even if an OPEN allows it", () => {
  const more = { method: "POST", path: "/api/chat", endpoint: "/api/chat", keep_text: true };
  const body = '{"model":"m","messages":[{"role":"user","content":"canary"}]}';
  const prompts = (forbidsText: boolean) =>
    tableWithStream({ forbidsText, more, body }).begun.map(({ prompt, open }) => [
      prompt,
      open.keep_text,
    ]);
  expect(prompts(false)).toEqual([["canary", true]]);
  expect(prompts(true)).toEqual([[null, false]]);
});

test("measures the latency of a resumed stream to its end", () => {
  const { table, clock, records } = tableWithStream();
  clock.nowMs = 1_600;
  table.detach();
  table.attach(true);
  table.receive(frame(FrameType.resume, 0));
  clock.nowMs = 9_000;
  table.giveUp("the agent was stopped");
  expect(records).toMatchObject([{ status: "error", latency_ms: 9_000, resumed: 1 }]);
});

test("keeps a resumed stream, and one whose tunnel is away for the whole grace period", () => {
  const resumed = tableWithStream();
  resumed.table.detach();
  resumed.table.attach(true);
  resumed.table.receive(frame(FrameType.resume, 0));
  resumed.clock.nowMs = 20_000;
  resumed.table.giveUpLost();
  expect(resumed.table.size).toBe(1);
  const away = tableWithStream();
  away.table.detach();
  away.clock.nowMs = GRACE_MS - 1;
  away.table.giveUpLost();
  expect(away.table.size).toBe(1);
  away.clock.nowMs = GRACE_MS + 1;
  away.table.giveUpLost();
  expect(away.table.size).toBe(0);
});

test("knows the status that the caller has received: none while the edge holds the answer back", () => {
  const core = new AgentStreamCore(ID, false, { stream: false });
  expect(core.begunStatus).toBeNull();
  core.answerHead(200, [["content-type", "application/json; charset=utf-8"]]);
  core.answerData(new Uint8Array(HELD_BYTES_MAX - 1));
  expect(core.begunStatus).toBeNull();
  core.answerData(new Uint8Array(1));
  expect(core.begunStatus).toBe(200);
  const streamed = new AgentStreamCore(ID, false, { stream: true });
  streamed.answerHead(200, [["content-type", "application/json"]]);
  expect(streamed.begunStatus).toBe(200);
  const failing = new AgentStreamCore(ID, false, { stream: true });
  failing.answerHead(404, [["content-type", "application/json"]]);
  expect(failing.begunStatus).toBeNull();
});
