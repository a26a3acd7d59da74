/** The turn of a request at Ollama, and the refusal of one for which the queue has no room. */
import { expect, test } from "vitest";
import { awaitTurn, turnsOf } from "../../../../agent/request/turn.ts";
import { errorHeaders, sharedWireErrorOf } from "../../../../protocol/failures.ts";
import type { Open } from "../../../../protocol/messages.ts";
import { CHAT_OPEN } from "../../../support/chat-open.ts";

/** A box with one slot, which serves one request after the other. */
function scene() {
  const { queue } = turnsOf(1);
  let nowMs = 0;
  const sent: string[] = [];
  const ask = (id: string, source: "edge" | "bench", open: Open = CHAT_OPEN) =>
    awaitTurn(
      { id, open, bytes: 1, source },
      { queue, now: () => nowMs },
      () => void sent.push(id),
      () => {},
    );
  const serve = () => {
    nowMs += 1_000;
    queue.leave(sent.at(-1) ?? "", nowMs, { waitedMs: 0 });
  };
  return { ask, serve, sent };
}

test("callers go before a bench of the box", () => {
  const { ask, serve, sent } = scene();
  ask("first", "edge");
  ask("bench", "bench");
  ask("caller", "edge");
  for (let n = 0; n < 3; n++) serve();
  expect(sent).toEqual(["first", "caller", "bench"]);
});

test("the priority of a key decides among its callers, and a bench comes last", () => {
  const { ask, serve, sent } = scene();
  const of = (key_id: string, priority?: Open["priority"]) => ({ ...CHAT_OPEN, key_id, priority });
  ask("first", "edge", of("anybody"));
  ask("bench", "bench", of("urgent", "high"));
  ask("patient", "edge", of("batch", "low"));
  for (const n of [1, 2]) ask(`usual ${n}`, "edge", of("usual"));
  for (const n of [1, 2, 3]) ask(`urgent ${n}`, "edge", of("urgent", "high"));
  for (let n = 0; n < 7; n++) serve();
  expect(sent.filter((id) => id.startsWith("u"))).toEqual([
    "usual 1",
    "urgent 1",
    "urgent 2",
    "urgent 3",
    "usual 2",
  ]);
  expect(new Set(sent.slice(-2))).toEqual(new Set(["bench", "patient"]));
});

test("a request that needs no slot does not wait", () => {
  const { ask, sent } = scene();
  ask("first", "edge");
  expect(ask("show", "edge", { ...CHAT_OPEN, endpoint: "/api/show" })).toBeNull();
  expect(ask("waits", "edge")).toMatchObject({ position: 1 });
  expect(sent).toEqual(["first", "show"]);
});

test.each([
  [null, "position 513. Try", "5"],
  [1_000, "position 513 and about 1 s to wait. Try", "5"],
  [42_300, "position 513 and about 43 s to wait. Try", "43"],
  [900_000, "position 513 and about 900 s to wait. Try", "60"],
])("a full queue states its numbers (%s ms to wait)", (etaMs, words, retryAfter) => {
  const error = sharedWireErrorOf({ reason: "queue_full", box: "b", position: 513, etaMs });
  expect([error.status, error.message]).toEqual([503, expect.stringContaining(words)]);
  expect(error.message).toContain("at most 512 requests and 256 MiB");
  expect(errorHeaders(error, "id")["retry-after"]).toBe(retryAfter);
});
