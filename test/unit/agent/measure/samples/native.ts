/** Answers of the native API to chat and generate requests. */
import {
  COUNTS,
  chat,
  generate,
  JSON_TYPE,
  METRICS,
  NDJSON,
  type Sample,
  TIMES,
  whole,
} from "./sample.ts";

export const NATIVE: Sample[] = [
  {
    name: "a streamed chat",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Grüß "},"done":false}\n`,
      `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"dich 👋"},"done":false}\n`,
      `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",${METRICS}}\n`,
    ],
    measured: { response: "Grüß dich 👋", ...COUNTS, ...TIMES, ttft_ms: 110, done_reason: "stop" },
  },
  {
    name: "a chat that thinks first",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"role":"assistant","content":""},"done":false}\n`,
      `{"message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}\n`,
      `{"message":{"role":"assistant","content":"4"},"done":false}\n`,
      `{"message":{"role":"assistant","content":""},"done":true,"done_reason":"length",${METRICS}}\n`,
    ],
    measured: {
      response: "<think>Hm</think>\n\n4",
      ...COUNTS,
      ...TIMES,
      ttft_ms: 120,
      done_reason: "length",
    },
  },
  {
    name: "a chat that calls a tool",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Tokyo"}}}]},"done":false}\n`,
      `{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",${METRICS}}\n`,
    ],
    measured: {
      response: `<tool_call>{"name":"get_weather","arguments":{"city":"Tokyo"}}</tool_call>`,
      ...COUNTS,
      ...TIMES,
      ttft_ms: 110,
      done_reason: "stop",
    },
  },
  {
    name: "a chat with a cached prompt of an old Ollama, where a missing count is not 0 and a missing prefill is not queue time",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"content":"a"},"done":false}\n`,
      `{"message":{"content":""},"done":true,"total_duration":9000000,"load_duration":1000000,"eval_count":2,"eval_duration":3000000}\n`,
    ],
    measured: { response: "a", completion_tokens: 2, ttft_ms: 110, load_ms: 1, decode_ms: 3 },
  },
  {
    name: "a chat whose fields have wrong types, which are unknown without an error",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"content":7,"thinking":null,"tool_calls":"x"},"done":"no"}\n`,
      `{"message":[],"done":true,"done_reason":5,"eval_count":"3","prompt_eval_count":-1,"eval_duration":{}}\n`,
    ],
    measured: {},
  },
  {
    name: "a chat that is not streamed",
    options: whole(chat),
    contentType: JSON_TYPE,
    chunks: [
      `{"message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop",${METRICS}}`,
    ],
    measured: { response: "Hi", ...COUNTS, ...TIMES, ttft_ms: 1_000, done_reason: "stop" },
  },
  {
    name: "a load of a model, answered with one object although a stream was requested",
    options: chat,
    contentType: JSON_TYPE,
    chunks: [
      `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}`,
    ],
    measured: { done_reason: "load" },
  },
  {
    name: "a streamed generate whose last line has no line feed",
    options: generate,
    contentType: NDJSON,
    chunks: [
      `{"model":"m","response":"one","done":false}\n{"model":"m","response":" two","done":false}\n`,
      `{"model":"m","response":"","done":true,"done_reason":"stop","context":[1,2,3],${METRICS}}`,
    ],
    measured: { response: "one two", ...COUNTS, ...TIMES, ttft_ms: 110, done_reason: "stop" },
  },
  {
    name: "a generate that fails in the middle",
    options: generate,
    contentType: NDJSON,
    chunks: [
      `{"response":"I","done":false}\n`,
      `{"error":"an error was encountered while running the model"}\n`,
    ],
    measured: {
      response: "I",
      completion_tokens: 1,
      ttft_ms: 110,
      error: "an error was encountered while running the model",
    },
  },
  {
    name: "a chat that ends without its last line",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"content":"no "},"done":false}\n`,
      `{"message":{"content":"no "},"done":false}\n`,
    ],
    measured: {
      response: "no no ",
      completion_tokens: 2,
      ttft_ms: 110,
      error: "the answer ended without its last line (done:true)",
    },
  },
  {
    name: "a chat that is cut off inside a line",
    options: chat,
    contentType: NDJSON,
    chunks: [`{"message":{"content":"a"},"done":false}\n`, `{"message":{"con`],
    measured: {
      response: "a",
      completion_tokens: 1,
      ttft_ms: 110,
      error: "the answer ended without its last line (done:true)",
    },
  },
  {
    name: "a chat with a line that is not JSON",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"content":"a"},"done":false}\n`,
      `oops\n`,
      `\n`,
      `{"message":{"content":"b"},"done":true,${METRICS}}\n`,
    ],
    measured: {
      response: "ab",
      ...COUNTS,
      ...TIMES,
      ttft_ms: 110,
      error: "the answer has a line that is not JSON",
    },
  },
  {
    name: "a chat that is not streamed and not done",
    options: whole(chat),
    contentType: JSON_TYPE,
    chunks: [`{"message":{"role":"assistant","content":"no no"},"done":false}`],
    measured: {
      response: "no no",
      error: "the answer is not complete (done:true is missing)",
    },
  },
  {
    name: "a chat that is not streamed and cut off",
    options: whole(chat),
    contentType: JSON_TYPE,
    chunks: [`{"message":{"role":"assi`],
    measured: { error: "the answer is not JSON, or ended in the middle" },
  },
];
