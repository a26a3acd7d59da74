/** Answers that have begun while their calls were on another box. */
import { expect, test } from "vitest";
import { encodeFrames, FrameType, jsonBytes } from "../../../../../protocol/frames.ts";
import { EVENT_SILENCE_MS } from "../../../../../protocol/limits.ts";
import type { Open } from "../../../../../protocol/messages.ts";
import { data, end, head, LINES, numbered, WAITING, Waiter, waiting } from "./waiter.ts";

const moved = (first: Waiter, endpoint = "/api/chat", api: Open["api"] = "ollama") =>
  new Waiter(endpoint, api, {}, first.early);

test.each([
  ["an answer of 500", [head(500, "application/json"), data(1, '{"error":"no"}'), end(2)]],
  ["a failure", [numbered(FrameType.abort, 0, jsonBytes({ code: "lost", message: "killed" }))]],
])("a caller has nothing of %s of the first box, and all of the second", (_what, frames) => {
  const first = new Waiter("/api/chat", "ollama");
  first.receive(10_000, waiting());
  first.tick(10_000);
  const before = first.core.received(encodeFrames(frames), 11_000);
  expect([before.write, before.finish, before.answer?.kind]).toEqual([
    null,
    null,
    frames.length > 1 ? "whole" : "failed",
  ]);
  const second = moved(first);
  second.tick(10_000 + EVENT_SILENCE_MS - 1);
  expect(second.text).toBe("");
  second.tick(10_000 + EVENT_SILENCE_MS);
  second.receive(30_000, head(200, LINES), data(1, '{"done":true}\n'), end(2));
  expect([second.text, second.answer, second.finish, second.ended]).toEqual([
    ' {"done":true}\n',
    { kind: "continued" },
    "close",
    { by: "agent" },
  ]);
});

test("a sign of life shows no place until the second box has reported one", () => {
  const first = new Waiter("/v1/chat/completions", "openai");
  first.receive(10_000, waiting());
  first.early?.moved();
  const second = moved(first, "/v1/chat/completions", "openai");
  second.tick(10_000);
  second.receive(11_000, waiting({ ...WAITING, position: 1, eta_ms: null }));
  second.tick(10_000 + EVENT_SILENCE_MS);
  expect(second.text).toBe(": waiting for Ollama's answer\n\n: waiting, position 1\n\n");
});

test("an answer that no box goes on with ends with an error in its own format, and the status that the caller has", () => {
  const first = new Waiter("/v1/chat/completions", "openai");
  first.receive(10_000, waiting());
  const second = moved(first, "/v1/chat/completions", "openai");
  second.receive(
    11_000,
    numbered(FrameType.abort, 0, jsonBytes({ code: "draining", message: "no" })),
  );
  expect(second.text).toMatch(/^\n?data: \{"error":\{.*"code":"box_draining"/);
  expect(second.ended).toMatchObject({ by: "edge", httpStatus: 200 });
});
