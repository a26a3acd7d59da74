/** Calls whose agent is lost before their answer begins, and which another box can serve. */
import { expect, test } from "vitest";
import {
  encodeFrames,
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
} from "../../../../../protocol/frames.ts";
import { GRACE_MS, MOVE_LOST_MS } from "../../../../../protocol/limits.ts";
import { EdgeStreamCore } from "../../../../../worker/gateway/stream/edge-stream-core.ts";
import { newPulse } from "../../../../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../../../../support/chat-open.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";

const frame = (type: FrameType, payload: Uint8Array = NO_PAYLOAD): Frame => ({
  type,
  stream: ID,
  seq: 0,
  payload,
});
const message = (...frames: Frame[]) => encodeFrames(frames);
const head = frame(FrameType.head, jsonBytes({ status: 200, headers: [] }));
const begun = (yields = false) => {
  const facts = { id: ID, box: "b", open: CHAT_OPEN, yields };
  const core = new EdgeStreamCore(facts, new Uint8Array(3), newPulse(), () => 0.5);
  core.begin(0, core.open());
  return core;
};
/** Another box can serve the call. */
const movable = () => begun(true);
const gone = message(frame(FrameType.gone));
const YIELDED = { reason: "tunnel_lost", box: "b", isYielded: true };

test("gives a call whose agent is lost to another box, once the agent has ended it", () => {
  const core = movable();
  core.received(gone, 10);
  expect(core.nextTickMs(10)).toBe(10 + MOVE_LOST_MS);
  expect(core.tick(9 + MOVE_LOST_MS).answer).toBeNull();
  expect(core.tick(10 + MOVE_LOST_MS).answer).toEqual({ kind: "failed", failure: YIELDED });
});

test("goes on with a call whose agent is back in time and still has it", () => {
  const core = movable();
  core.received(gone, 0);
  core.received(message(frame(FrameType.back)), 1_000);
  core.received(message(frame(FrameType.resume)), 1_010);
  expect(core.tick(MOVE_LOST_MS).answer).toBeNull();
  core.received(gone, 20_000);
  expect(core.nextTickMs(20_000)).toBe(20_000 + MOVE_LOST_MS);
});

test.each<[name: string, core: () => EdgeStreamCore, lose: (core: EdgeStreamCore) => void]>([
  [
    "whose answer has begun",
    movable,
    (core) => core.received(message(head, frame(FrameType.gone)), 0),
  ],
  ["that no other box can serve", begun, (core) => core.received(gone, 0)],
  ["whose Box is lost, but not its agent", movable, (core) => core.lost(0)],
])("waits longer for the agent of a call %s, and does not move it then", (_name, coreOf, lose) => {
  const core = coreOf();
  lose(core);
  expect(core.nextTickMs(0)).toBe(GRACE_MS);
  const { answer, ended } = core.tick(GRACE_MS);
  expect(answer?.kind === "failed" ? answer.failure : ended).not.toMatchObject({ isYielded: true });
});
