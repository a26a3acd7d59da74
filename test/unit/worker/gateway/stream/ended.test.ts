import { expect, test } from "vitest";
import { AGENT_FIRST_MS, WITHHELD_LOST_MS, WITHHELD_MS } from "../../../../../protocol/limits.ts";
import type { FailureReason } from "../../../../../worker/errors.ts";
import {
  abortFailure,
  endedBy,
  endedByCaller,
} from "../../../../../worker/gateway/stream/ended.ts";

test.each<[failure: FailureReason, isForgotten: boolean, by: "agent" | "edge"]>([
  [{ reason: "ollama_unreachable", message: "x" }, false, "agent"],
  [{ reason: "ollama_broke", message: "x" }, false, "agent"],
  [{ reason: "agent_restarted", box: "b" }, false, "edge"],
  [{ reason: "agent_restarted", box: "b" }, true, "edge"],
  [{ reason: "tunnel_lost", box: "b" }, false, "edge"],
  [{ reason: "box_draining", box: "b" }, false, "edge"],
  [{ reason: "box_refused", message: "x" }, false, "edge"],
])(
  "a stream that failed with %j, forgotten: %s, is recorded by the %s",
  (failure, isForgotten, by) => {
    expect(endedBy(failure, null, isForgotten).by).toBe(by);
  },
);

test("the edge records the status that the caller received", () => {
  const failure: FailureReason = { reason: "tunnel_lost", box: "b" };
  expect(endedBy(failure, 200, false)).toMatchObject({ status: "error", httpStatus: 200 });
  expect(endedBy(failure, null, false)).toMatchObject({ status: "error", httpStatus: 504 });
});

test.each([
  [false, AGENT_FIRST_MS],
  [true, 0],
])(
  "a restarted agent that has forgotten its stream (%s) has %d ms to record it first",
  (isForgotten, afterMs) => {
    const failure: FailureReason = { reason: "agent_restarted", box: "b" };
    expect(endedBy(failure, 200, isForgotten)).toMatchObject({ httpStatus: 200, afterMs });
  },
);

test("an agent that received the ABORT of a cancelled stream has time to record it first, after any record that it keeps back", () => {
  const cancelled = { by: "edge", status: "cancelled" };
  expect(endedByCaller(null, true)).toEqual({
    ...cancelled,
    httpStatus: 499,
    afterMs: AGENT_FIRST_MS,
  });
  for (const withheldMs of [WITHHELD_MS, WITHHELD_LOST_MS])
    expect(AGENT_FIRST_MS).toBeGreaterThanOrEqual(withheldMs + 1_000);
  expect(endedByCaller(200, false)).toEqual({ ...cancelled, httpStatus: 200, afterMs: 0 });
});

test("a stream whose key has ended is recorded by its agent, which measured it, if it can", () => {
  const failure = { reason: "key_ended", state: "revoked", ends_at_ms: 0 } as const;
  const ended = { by: "edge", status: "error", failure };
  // An agent that keeps the record of a failure back still is the first.
  const afterMs = AGENT_FIRST_MS;
  expect(endedBy(failure, null, false)).toEqual({ ...ended, httpStatus: 401, afterMs });
  expect(endedBy(failure, 200, true)).toEqual({ ...ended, httpStatus: 200, afterMs: 0 });
});

test.each(["caller_gone", "gave_up"] as const)("an agent may not send an ABORT %s", (code) => {
  expect(() => abortFailure({ code, message: "x" }, "b")).toThrow(`abort ${code} from an agent`);
});
