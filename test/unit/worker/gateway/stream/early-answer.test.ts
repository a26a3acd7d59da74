/** Answers that begin before Ollama's, while their callers wait in the queue or for a load. */
import { describe, expect, test } from "vitest";
import { HELD_BYTES_MAX } from "../../../../../protocol/ending.ts";
import { encodeFrames, FrameType, jsonBytes } from "../../../../../protocol/frames.ts";
import { EVENT_SILENCE_MS } from "../../../../../protocol/limits.ts";
import {
  data,
  EVENTS,
  end,
  head,
  LINES,
  LOADING,
  numbered,
  WAITING,
  Waiter,
  waiting,
} from "./waiter.ts";

describe("headers", () => {
  test.each([
    ["/v1/chat/completions", "openai", EVENTS],
    ["/v1/completions", "openai", EVENTS],
    ["/v1/responses", "openai", EVENTS],
    ["/v1/messages", "anthropic", EVENTS],
    ["/api/chat", "ollama", LINES],
    ["/api/generate", "ollama", LINES],
  ] as const)("a streamed %s gets them with the first report", (endpoint, api, type) => {
    const call = new Waiter(endpoint, api);
    call.receive(10_000, waiting());
    expect(call.head).toEqual({
      status: 200,
      "content-type": type,
      "x-queue-position": "3",
      "x-queue-eta-ms": "12000",
    });
  });

  test.each([
    ["a whole chat", "/v1/chat/completions", "openai", false],
    ["embeddings", "/api/embed", "ollama", false],
    ["a pull", "/api/pull", "ollama", true],
  ] as const)(
    "%s waits for Ollama's, whose status may be an error's",
    (_what, endpoint, api, stream) => {
      const call = new Waiter(endpoint, api, { stream });
      call.receive(10_000, waiting());
      call.tick(60_000);
      expect(call.answer).toBeNull();
      call.receive(70_000, head(503, "application/json"), data(1, '{"error":"no"}'), end(2));
      expect([call.head?.status, call.text]).toEqual([503, '{"error":"no"}']);
    },
  );

  test("an answer in time is Ollama's, with the wait that is over", () => {
    const call = new Waiter("/api/chat", "ollama");
    call.receive(9_000, head(200, LINES, { position: 4, waited_ms: 8_123.4 }), data(1, "{}\n"));
    expect(call.head).toEqual({
      status: 200,
      "content-type": LINES,
      "x-queue-position": "4",
      "x-queue-waited-ms": "8123",
    });
    call.receive(9_001, waiting());
    call.tick(60_000);
    expect(call.text).toBe("{}\n");
  });
});

describe("signs of life", () => {
  test("server-sent events get comments with place and time, which the edge counts down", () => {
    const call = new Waiter("/v1/chat/completions", "openai");
    call.receive(10_000, waiting());
    call.tick(10_000);
    call.tick(10_000 + EVENT_SILENCE_MS - 1);
    expect(call.text).toBe(": waiting, position 3, about 12 s\n\n");
    call.receive(20_000, waiting({ ...WAITING, position: 2, eta_ms: 8_000 }));
    call.tick(10_000 + EVENT_SILENCE_MS);
    call.receive(30_000, waiting(LOADING));
    call.tick(10_000 + 2 * EVENT_SILENCE_MS);
    call.receive(41_000, waiting({ ...LOADING, is_loading: false }));
    call.tick(10_000 + 3 * EVENT_SILENCE_MS);
    expect(call.text.split("\n\n").slice(1, 4)).toEqual([
      ": waiting, position 2, about 3 s",
      ": loading the model",
      ": waiting for Ollama's answer",
    ]);
  });

  test("NDJSON gets spaces, which may stand before any JSON text", () => {
    const call = new Waiter("/api/generate", "ollama");
    call.receive(10_000, waiting());
    for (const nowMs of [10_000, 25_000, 40_000]) call.tick(nowMs);
    call.receive(41_000, head(200, LINES), data(1, '{"response":"a"}\n'), end(2));
    expect(call.text).toBe('   {"response":"a"}\n');
    expect(call.ended).toEqual({ by: "agent" });
  });

  test("an estimate is left out while it is unknown", () => {
    const call = new Waiter("/v1/messages", "anthropic");
    call.receive(10_000, waiting({ ...WAITING, eta_ms: null }));
    call.tick(10_000);
    expect([call.text, call.head?.["x-queue-eta-ms"]]).toEqual([
      ": waiting, position 3\n\n",
      undefined,
    ]);
  });

  test("they end with Ollama's head, and leave its body as it is", () => {
    const call = new Waiter("/v1/completions", "openai");
    call.receive(10_000, waiting());
    call.receive(10_001, head(200, EVENTS));
    call.tick(60_000);
    call.receive(60_001, data(1, "data: 1\n\n"), end(2));
    expect([call.text, call.finish]).toEqual(["data: 1\n\n", "close"]);
  });

  test("the next one is scheduled, and a slow caller gets only one", () => {
    const core = new Waiter("/api/chat", "ollama").core;
    core.received(encodeFrames([waiting()]), 10_000);
    expect(core.nextTickMs(10_000)).toBe(10_000);
    expect(core.tick(10_000).write).toHaveLength(1);
    expect(core.tick(30_000).write).toBeNull();
    core.wrote();
    expect(core.tick(30_000).write).toHaveLength(1);
  });
});

describe("an error after the headers", () => {
  test.each([
    ["/v1/chat/completions", "openai", 'data: {"error":"no room"}\n\n'],
    ["/v1/messages", "anthropic", 'event: error\ndata: {"error":"no room"}\n\n'],
    ["/api/chat", "ollama", '{"error":"no room"}\n'],
  ] as const)(
    "is a part of the stream if it is Ollama's, in a streamed %s",
    (endpoint, api, part) => {
      const call = new Waiter(endpoint, api);
      call.receive(10_000, waiting());
      call.receive(11_000, head(500, "application/json; charset=utf-8"), data(1, '{ "error":'));
      call.receive(11_001, data(2, '"no room" }'), end(3));
      expect([call.text, call.answer?.kind, call.ended]).toEqual([part, "whole", { by: "agent" }]);
    },
  );

  test.each([
    ["", "Ollama answered with status 502: "],
    ["<html>", "Ollama answered with status 502: <html>"],
  ])("becomes one of the called API if it is not JSON (%j)", (body, message) => {
    const call = new Waiter("/api/chat", "ollama");
    call.receive(10_000, waiting());
    call.receive(11_000, head(502, "text/html"), data(1, body), end(2));
    expect(JSON.parse(call.text)).toEqual({ error: message });
  });

  test("has the format of the API if it is the tunnel's, and its record the status that the caller got", () => {
    const call = new Waiter("/v1/chat/completions", "openai");
    call.receive(10_000, waiting());
    call.tick(10_000);
    call.receive(10_001, numbered(FrameType.gone, 0));
    call.tick(60_000);
    expect(call.text).toMatch(
      /^: waiting.*\n\n\ndata: \{"error":\{"message":.*"code":"tunnel_lost"\}\}\n\n$/s,
    );
    expect(call.ended).toMatchObject({ by: "edge", status: "error", httpStatus: 200 });
  });

  test("is replaced by another one if it breaks off", () => {
    const call = new Waiter("/api/chat", "ollama");
    call.receive(10_000, waiting());
    call.receive(11_000, head(500, "application/json"), data(1, '{"err'));
    call.receive(
      12_000,
      numbered(FrameType.abort, 0, jsonBytes({ code: "ollama_broke", message: "gone" })),
    );
    expect(JSON.parse(call.text)).toEqual({ error: "gone" });
  });

  test("takes bounded memory, whatever its length", () => {
    const call = new Waiter("/api/chat", "ollama");
    call.receive(10_000, waiting());
    const part = "x".repeat(64 * 1024);
    const parts = Math.ceil(HELD_BYTES_MAX / part.length) + 1;
    call.receive(11_000, head(500, "text/plain"));
    for (let n = 0; n < parts; n++) call.receive(11_000, data(n + 1, part));
    expect(JSON.parse(call.text).error).toContain("an error of that length");
    expect(call.answer?.kind).toBe("failed");
  });
});

test("an answer that is no stream of its type, such as that of a mere load, is its only line", () => {
  const call = new Waiter("/api/generate", "ollama");
  call.receive(10_000, waiting(LOADING));
  call.tick(10_000);
  call.receive(
    90_000,
    head(200, "application/json; charset=utf-8"),
    data(1, '{"done":true}'),
    end(2),
  );
  expect(call.text).toBe(' {"done":true}\n');
});

test("nothing of a box's answer has reached a caller who only has headers and signs of life", () => {
  const call = new Waiter("/api/chat", "ollama");
  call.receive(10_000, waiting());
  call.tick(10_000);
  expect(call.core.observed.hasBoxAnswer).toBe(false);
  call.receive(11_000, head(200, LINES));
  expect(call.core.observed.hasBoxAnswer).toBe(true);
});

test.each([true, false])(
  "an agent that lost its state learns whether the answer has begun: %s",
  (hasBegun) => {
    const call = new Waiter("/api/chat", "ollama");
    if (hasBegun) call.receive(10_000, waiting());
    const { frames } = call.core.received(encodeFrames([numbered(FrameType.resume, 0)]), 12_000);
    const open = frames.find(({ type }) => type === FrameType.open);
    const { answer_begun } = JSON.parse(new TextDecoder().decode(open?.payload));
    expect(answer_begun).toBe(hasBegun ? true : undefined);
  },
);
