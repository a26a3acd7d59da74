import { expect, test } from "vitest";
import { awaitedLoads, contextsOf, speedsOf } from "../../../../dashboard/shape/model-requests.ts";
import type { LogEntry } from "../../../../protocol/api/logs.ts";

/** A request with the fields that are counted. */
const request = (fields: Partial<LogEntry>): LogEntry =>
  ({
    status: "success",
    box: "atlas",
    context_length: null,
    prompt_tokens: null,
    prompt_truncated: null,
    completion_tokens: null,
    decode_ms: null,
    ttft_ms: null,
    load_ms: null,
    latency_ms: 0,
    ...fields,
  }) as LogEntry;

test("counts the requests of each context, with its longest prompt and those that did not fit", () => {
  const logs = [
    request({ context_length: 8_192, prompt_tokens: 8_000, prompt_truncated: true }),
    request({ context_length: 4_096, prompt_tokens: 10 }),
    request({ context_length: 4_096, prompt_tokens: 900, prompt_truncated: false }),
    request({ context_length: null, prompt_tokens: 99_999 }),
  ];
  expect(contextsOf(logs)).toEqual([
    { contextLength: 4_096, requests: 2, longestPrompt: 900, truncated: 0 },
    { contextLength: 8_192, requests: 1, longestPrompt: 8_000, truncated: 1 },
  ]);
  expect(contextsOf([])).toEqual([]);
});

test("shows the speed of each box as medians of the requests that succeeded", () => {
  const logs = [
    request({ completion_tokens: 100, decode_ms: 1_000, ttft_ms: 10, latency_ms: 1_100 }),
    request({ completion_tokens: 300, decode_ms: 1_000, ttft_ms: 30, latency_ms: 1_300 }),
    request({ status: "error", latency_ms: 90_000 }),
    request({ box: "borealis", latency_ms: 5 }),
    request({ box: null, status: "error" }),
  ];
  expect(speedsOf(logs)).toEqual([
    { box: "atlas", requests: 3, failed: 1, ttftMs: 20, tokensPerSecond: 200, latencyMs: 1_200 },
    {
      ...{ box: "borealis", requests: 1, failed: 0 },
      ...{ ttftMs: null, tokensPerSecond: null, latencyMs: 5 },
    },
  ]);
});

test("counts the requests that waited for a load, and not those that found the model in memory", () => {
  const loads = [null, 0, 100, 1_000, 9_000, 2_000].map((load_ms) => request({ load_ms }));
  expect(awaitedLoads(loads)).toEqual({ requests: 3, medianMs: 2_000, longestMs: 9_000 });
  expect(awaitedLoads([request({})])).toEqual({ requests: 0, medianMs: null, longestMs: null });
});
