/**
 * Real answers recorded by others, if a folder of them lies beside the checkout. The folder is not
 * part of the project; samples.ts covers the same forms, so that nothing is untested without it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Measured } from "../../../../agent/measure/meter.ts";
import { type Answer, bytes, cutAt, feed, text } from "./feed.ts";

const FOLDER = join(import.meta.dirname, "../../../../../shared/fixtures/ollama");
const isHere = existsSync(FOLDER);

const ndjson = (endpoint: string): Answer => ({
  options: { endpoint, api: "ollama", stream: true },
  contentType: "application/x-ndjson",
});
const whole = (endpoint: string): Answer => ({
  options: { endpoint, api: "ollama", stream: false },
  contentType: "application/json",
});
const v1 = (stream: boolean): Answer => ({
  options: { endpoint: "/v1/chat/completions", api: "openai", stream },
  contentType: stream ? "text/event-stream" : "application/json",
});

const CAPTURES: [file: string, answer: Answer, measured: Partial<Measured>][] = [
  [
    "otel-chat-stream.ndjson",
    ndjson("/api/chat"),
    {
      prompt_tokens: 17,
      completion_tokens: 50,
      load_ms: 1.631,
      prefill_ms: 313.56,
      decode_ms: 1577.99,
      done_reason: "stop",
      error: null,
    },
  ],
  [
    "otel-generate-stream.ndjson",
    ndjson("/api/generate"),
    { prompt_tokens: 17, completion_tokens: 71, done_reason: "stop", error: null },
  ],
  [
    "otel-metrics-stream.ndjson",
    ndjson("/api/generate"),
    { prompt_tokens: 16, completion_tokens: 51, error: null },
  ],
  [
    "otel-chat-toolcalls-nonstream.json",
    whole("/api/chat"),
    { prompt_tokens: 44, completion_tokens: 113, error: null },
  ],
  [
    "otel-metrics-nonstream.json",
    whole("/api/chat"),
    { prompt_tokens: 19, completion_tokens: 104, decode_ms: 814.596, error: null },
  ],
  [
    "otel-embeddings.json",
    whole("/api/embeddings"),
    { prompt_tokens: null, ttft_ms: null, error: null },
  ],
  [
    "docs-api-errors-errors-that-occur-while-streaming-0.ndjson",
    ndjson("/api/generate"),
    { error: "an error was encountered while running the model" },
  ],
  ["issue-pull-tail.ndjson", ndjson("/api/pull"), { error: null }],
  [
    "v1-chat-nonstream.json",
    v1(false),
    { prompt_tokens: 18, completion_tokens: 295, done_reason: "stop", error: null },
  ],
  [
    "v1-chat-stream-and-nonstream.sse",
    v1(true),
    { prompt_tokens: 17, completion_tokens: 425, done_reason: "stop", error: null },
  ],
  [
    "v1-chat-stream-tools.sse",
    v1(true),
    {
      prompt_tokens: 195,
      completion_tokens: 140,
      response: expect.stringMatching(
        /^<think>Okay, .*<\/think>\n\n<tool_call>{"name":"weather","arguments":{"latitude":"52.5200","longitude":"13.4050"}}<\/tool_call>$/s,
      ),
      done_reason: "tool_calls",
      error: null,
    },
  ],
];

test.skipIf(!isHere).each(CAPTURES)("measures the recorded answer %s", (file, answer, expected) => {
  const wire = readFileSync(join(FOLDER, file));
  for (const bytesEach of [wire.length, 1_460, 7]) {
    const places = Array.from(
      { length: Math.ceil(wire.length / bytesEach) },
      (_, index) => bytesEach * index,
    );
    const { out, measured } = feed(answer, cutAt(wire, places), () => 1_110);
    expect(measured).toMatchObject(expected);
    expect(Buffer.concat(out).equals(wire)).toBe(true);
  }
});

test.skipIf(!isHere)(
  "removes exactly one event when it hides the usage of a recorded stream",
  () => {
    const wire = readFileSync(join(FOLDER, "v1-chat-stream-tools.sse")).toString();
    const answer = v1(true);
    const { out, measured } = feed({ ...answer, options: { ...answer.options, hideUsage: true } }, [
      bytes(wire),
    ]);
    const events = wire.split(/(?<=\n\n)/);
    expect(text(out)).toBe(
      events.filter((event) => !event.includes('"choices":[],"usage"')).join(""),
    );
    expect(measured.completion_tokens).toBe(140);
  },
);
