/** Streams that fail on a box whose agent keeps its record back until the call stays or moves. */
import { expect, test } from "vitest";
import {
  encodeFrames,
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  typeName,
} from "../../../../../protocol/frames.ts";
import type { Open } from "../../../../../protocol/messages.ts";
import type { EdgeStreamActions } from "../../../../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../../../../worker/gateway/stream/edge-stream-core.ts";
import { newPulse } from "../../../../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../../../../support/chat-open.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";

const frame = (type: FrameType, seq = 0, payload: Uint8Array = NO_PAYLOAD): Frame => ({
  type,
  stream: ID,
  seq,
  payload,
});
const json = (type: FrameType, payload: object) => frame(type, 0, jsonBytes(payload));

const answered = (status: number) => [
  json(FrameType.head, { status, headers: [] }),
  frame(FrameType.end, 1),
];
const UNREACHABLE = [json(FrameType.abort, { code: "ollama_unreachable", message: "refused" })];
const RESTARTED = [json(FrameType.abort, { code: "lost", message: "restarted" })];

const begun = (may: Pick<Open, "may_move" | "may_ask">) => {
  const open = { ...CHAT_OPEN, ...may };
  const core = new EdgeStreamCore({ id: ID, box: "b", open }, null, newPulse(), () => 0.5);
  core.begin(0, core.open());
  return core;
};
const sentBy = ({ frames }: EdgeStreamActions) =>
  frames.map(({ type, payload }) =>
    type === FrameType.abort ? JSON.parse(new TextDecoder().decode(payload)).stays : typeName(type),
  );

const [MAY_MOVE, MAY_ASK, MAY_NEITHER] = [{ may_move: true }, { may_ask: true }, {}];

test.each<[how: string, may: Pick<Open, "may_move" | "may_ask">, frames: Frame[]]>([
  ["Ollama refused it, and another box is known", MAY_MOVE, UNREACHABLE],
  ["Ollama refused it, and the edge looks for another box", MAY_ASK, UNREACHABLE],
  ["Ollama answered 500", MAY_ASK, answered(500)],
  ["Ollama answered 404", MAY_MOVE, answered(404)],
])("a stream is done once the call stays or moves: %s", (_how, may, frames) => {
  const [staying, moving] = [begun(may), begun(may)];
  for (const core of [staying, moving])
    expect(core.received(encodeFrames(frames), 0)).toMatchObject({
      ended: { by: "agent" },
      isDone: false,
    });
  const stays = staying.settled(true);
  expect([sentBy(stays), stays.isDone]).toEqual([[typeName(FrameType.ack), true], true]);
  const moves = moving.settled(false);
  expect([sentBy(moves), moves.isDone]).toEqual([[], true]);
});

test.each<[how: string, may: Pick<Open, "may_move" | "may_ask">, frames: Frame[]]>([
  ["no other box may get the call", MAY_NEITHER, UNREACHABLE],
  ["Ollama has answered the call", MAY_MOVE, answered(200)],
  ["Ollama has refused the call itself", MAY_MOVE, answered(400)],
  ["its agent was restarted, and the edge records the call", MAY_MOVE, RESTARTED],
])("a stream is done at once: %s", (_how, may, frames) => {
  const core = begun(may);
  expect(core.received(encodeFrames(frames), 0).isDone).toBe(true);
  expect(sentBy(core.settled(true))).toEqual([]);
});

test("an answer that breaks off ends its stream with the news that the call stays", () => {
  const core = begun(MAY_MOVE);
  const type = ["content-type", "application/x-ndjson"];
  core.received(encodeFrames([json(FrameType.head, { status: 200, headers: [type] })]), 0);
  core.received(encodeFrames([frame(FrameType.data, 1, new Uint8Array(9))]), 0);
  core.settled(true);
  core.wrote();
  core.received(encodeFrames([json(FrameType.abort, { code: "ollama_broke", message: "" })]), 0);
  const acts = core.closed();
  expect([sentBy(acts), acts.isDone]).toEqual([[true], true]);
});

test("a stream whose socket is lost meanwhile is done without it", () => {
  const core = begun(MAY_ASK);
  core.received(encodeFrames(UNREACHABLE), 0);
  expect(core.lost(1)).toMatchObject({ isDone: false, redialMs: expect.any(Number) });
  expect(core.settled(true).isDone).toBe(true);
});
