/** The end of a caller's key ends its stream, whatever state the stream is in. */
import { expect, test } from "vitest";
import type { KeyEnd } from "../../../../../protocol/call-end.ts";
import {
  encodeFrames,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  streamFrame,
} from "../../../../../protocol/frames.ts";
import type { Open } from "../../../../../protocol/messages.ts";
import type { EdgeStreamActions } from "../../../../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../../../../worker/gateway/stream/edge-stream-core.ts";
import { newPulse } from "../../../../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../../../../support/chat-open.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const OPEN: Open = { ...CHAT_OPEN, key_id: "00112233aabbccdd" };

function begun(keyEnd?: KeyEnd): EdgeStreamCore {
  const facts = { id: ID, box: "b", open: OPEN, ...(keyEnd && { keyEnd }) };
  const core = new EdgeStreamCore(facts, new Uint8Array(3), newPulse(), () => 0.5);
  core.begin(0, core.open());
  return core;
}

const endsAt = (ends_at_ms: number | null, state: "expired" | "revoked" = "expired"): KeyEnd => ({
  ends_at_ms,
  state,
});
const keyFrame = (end: KeyEnd) => encodeFrames([streamFrame(FrameType.key, ID, 0, jsonBytes(end))]);
const boxFrame = (type: FrameType) => encodeFrames([streamFrame(type, ID)]);
const abortsIn = ({ frames }: EdgeStreamActions): unknown[] =>
  frames
    .filter(({ type }) => type === FrameType.abort)
    .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)));

const STOPPED = {
  code: "gave_up",
  message: "This API key has expired. Ask for a new one.",
  failed_at: "gateway",
};
const FAILURE = { reason: "key_ended", state: "expired", ends_at_ms: 500 };

test("a stream ends when the key of its caller does, and not before", () => {
  const core = begun(endsAt(500));
  expect(core.nextTickMs(400)).toBe(500);
  expect(core.tick(499).ended).toBeNull();
  const acts = core.tick(500);
  expect(abortsIn(acts)).toEqual([STOPPED]);
  expect(acts.answer).toEqual({ kind: "failed", failure: FAILURE });
  expect(acts.ended).toMatchObject({ by: "edge", status: "error", httpStatus: 401 });
  expect(acts.isDone).toBe(true);
});

test("a stream whose key was replaced ends with its overlap, and names the newer key", () => {
  const core = begun(endsAt(null));
  const replaced = { state: "replaced", replaced_by: "ffeeddccbbaa9988" } as const;
  core.received(keyFrame({ ends_at_ms: 500, ...replaced }), 10);
  expect(core.tick(499).ended).toBeNull();
  expect(abortsIn(core.tick(500))).toMatchObject([
    {
      message:
        "This API key was replaced, and ended at 1970-01-01T00:00:00.500Z. " +
        "Use the newer key, whose id is ffeeddccbbaa9988.",
    },
  ]);
});

test("a stream that somebody stops ends at once, with and without a key", () => {
  for (const keyEnd of [undefined, endsAt(90_000)]) {
    const core = begun(keyEnd);
    const stopped = jsonBytes({ stopped_by: "Ada" });
    core.received(encodeFrames([streamFrame(FrameType.key, ID, 0, stopped)]), 10);
    expect(core.nextTickMs(10)).toBe(0);
    const acts = core.tick(10);
    expect(abortsIn(acts)).toMatchObject([{ message: "This request was stopped by Ada." }]);
    expect(acts.ended).toMatchObject({ httpStatus: 403, failure: { reason: "stopped" } });
  }
});

test.each<[name: string, before: KeyEnd | undefined, end: KeyEnd, endsMs: number | null]>([
  ["revoked", undefined, endsAt(0, "revoked"), 10],
  ["shortened", endsAt(90_000), endsAt(500), 500],
  ["extended", endsAt(500), endsAt(90_000), 90_000],
  ["made endless", endsAt(500), endsAt(null), null],
])("a key that is %s has its stream end then", (_name, before, end, endsMs) => {
  const core = begun(before);
  core.received(keyFrame(end), 10);
  expect(core.tick(Math.max(10, (endsMs ?? 100_000) - 1)).ended === null).toBe(endsMs !== 10);
  if (endsMs !== null && endsMs > 10) expect(core.tick(endsMs).ended).not.toBeNull();
});

test("an agent that is away is stopped when it comes back, and the caller at once", () => {
  const core = begun(endsAt(500));
  core.received(boxFrame(FrameType.gone), 100);
  const acts = core.tick(500);
  expect(abortsIn(acts)).toEqual([]);
  expect(acts.answer).toEqual({ kind: "failed", failure: FAILURE });
  expect(acts.isDone).toBe(false);
  const back = core.received(boxFrame(FrameType.back), 2_000);
  expect(abortsIn(back)).toEqual([STOPPED]);
  expect(back.isDone).toBe(true);
});

test("a slow caller gets the error after its last bytes, and the agent stops at once", () => {
  const core = begun(endsAt(500));
  const headers = [["content-type", "application/x-ndjson"]];
  const head = streamFrame(FrameType.head, ID, 0, jsonBytes({ status: 200, headers }));
  const data = streamFrame(FrameType.data, ID, 1, new TextEncoder().encode("one"));
  expect(core.received(encodeFrames([head, data]), 0).write).not.toBeNull();
  const acts = core.tick(500);
  expect(abortsIn(acts)).toEqual([STOPPED]);
  expect([acts.write, acts.finish]).toEqual([null, null]);
  // Frames that were on their way do not lengthen the answer's life.
  core.received(encodeFrames([streamFrame(FrameType.end, ID, 2, NO_PAYLOAD)]), 501);
  const { write } = core.wrote();
  if (write !== null) expect(new TextDecoder().decode(write)).toContain("has expired");
  expect(core.closed().ended).not.toBeNull();
});
