import { expect, test } from "vitest";
import type { FailureReason } from "../../../../worker/errors.ts";
import { moveReasonOf } from "../../../../worker/gateway/failover.ts";

test.each<[failure: FailureReason, reason: string | null]>([
  [{ reason: "ollama_unreachable", message: "refused" }, "ollama_unreachable"],
  [{ reason: "ollama_unreachable", message: "silent", hangs: true }, "no_answer"],
  [{ reason: "tunnel_lost", box: "atlas", isYielded: true }, "tunnel_lost"],
  [{ reason: "tunnel_lost", box: "atlas" }, null],
  [{ reason: "ollama_broke", message: "reset" }, "ollama_broke"],
  [{ reason: "box_draining", box: "atlas" }, "draining"],
  [{ reason: "agent_restarted", box: "atlas" }, "agent_restarted"],
  [{ reason: "box_refused", message: "an invalid answer" }, null],
  [{ reason: "bad_request", detail: "a malformed chunk" }, null],
  [{ reason: "caller_left" }, null],
])("a call that ended with %o before its answer began moves: %s", (failure, reason) => {
  expect(moveReasonOf({ kind: "failed", failure }, true)).toBe(reason);
});

test.each([
  [200, true, null],
  [400, true, null],
  [404, true, "model_not_found"],
  [404, false, null],
  [500, false, "http_500"],
  [503, true, "http_503"],
] as const)(
  "a whole answer with %i, other boxes having the model: %s, moves the call: %s",
  (status, isElsewhere, reason) => {
    expect(moveReasonOf({ kind: "whole", status }, isElsewhere)).toBe(reason);
  },
);

test("a call whose answer has begun never moves", () => {
  expect(moveReasonOf({ kind: "begun" }, true)).toBeNull();
});
