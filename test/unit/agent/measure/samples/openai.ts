/** Answers of OpenAI's API. */
import {
  COUNTS,
  DONE,
  event,
  responses,
  type Sample,
  SSE,
  v1Chat,
  v1Chunk,
  v1Completions,
  v1Usage,
  whole,
} from "./sample.ts";

export const OPENAI: Sample[] = [
  {
    name: "an OpenAI chat with requested usage",
    options: v1Chat,
    contentType: SSE,
    chunks: [
      v1Chunk(`{"role":"assistant","content":"","reasoning":"Hm"}`),
      v1Chunk(`{"content":"Grüß "}`),
      v1Chunk(`{"content":"dich 👋"}`),
      v1Chunk("{}", `"stop"`),
      v1Usage,
      DONE,
    ],
    measured: {
      response: "<think>Hm</think>\n\nGrüß dich 👋",
      ...COUNTS,
      ttft_ms: 110,
      decode_ms: 20,
      done_reason: "stop",
    },
  },
  {
    name: "an OpenAI chat without requested usage that calls a tool",
    options: v1Chat,
    contentType: SSE,
    chunks: [
      v1Chunk(
        `{"role":"assistant","content":"","tool_calls":[{"id":"c1","index":0,"type":"function","function":{"name":"f","arguments":"{}"}}]}`,
      ),
      v1Chunk(`{"content":""}`, `"tool_calls"`),
      DONE,
    ],
    measured: {
      response: `<tool_call>{"name":"f","arguments":{}}</tool_call>`,
      ttft_ms: 110,
      done_reason: "tool_calls",
    },
  },
  {
    name: "an OpenAI chat that fails in the middle, with an empty chunk and no [DONE]",
    options: v1Chat,
    contentType: SSE,
    chunks: [v1Chunk(`{"role":"assistant","content":"I"}`), v1Chunk(`{"content":""}`)],
    measured: {
      response: "I",
      completion_tokens: 1,
      ttft_ms: 110,
      error: "the answer ended without its last event ([DONE])",
    },
  },
  {
    name: "an OpenAI chat with an error event",
    options: v1Chat,
    contentType: SSE,
    chunks: [
      v1Chunk(`{"content":"I"}`),
      `data: {"error":{"message":"it broke","type":"api_error","param":null,"code":null}}\n\n`,
    ],
    measured: { response: "I", completion_tokens: 1, ttft_ms: 110, error: "it broke" },
  },
  {
    name: "an OpenAI chat that is not streamed and whose counts are 0, which means unknown",
    options: whole(v1Chat),
    contentType: "application/json",
    chunks: [
      `{"id":"chatcmpl-7","object":"chat.completion","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"4","reasoning":"Hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":3,"total_tokens":3}}\n`,
    ],
    measured: {
      response: "<think>Hm</think>\n\n4",
      completion_tokens: 3,
      done_reason: "stop",
    },
  },
  {
    name: "an OpenAI completion with requested usage",
    options: v1Completions,
    contentType: SSE,
    chunks: [
      `data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"a","index":0,"finish_reason":null}],"model":"m","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\n`,
      `data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"b","index":0,"finish_reason":"length"}],"model":"m","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\n`,
      `data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[],"model":"m","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}\n\n`,
      DONE,
    ],
    measured: { response: "ab", ...COUNTS, ttft_ms: 110, decode_ms: 10, done_reason: "length" },
  },
  {
    name: "a streamed response",
    options: responses,
    contentType: SSE,
    chunks: [
      event(
        "response.created",
        `{"response":{"status":"in_progress","output":[],"usage":null,"error":null},"sequence_number":0,"type":"response.created"}`,
      ),
      event(
        "response.reasoning_summary_text.delta",
        `{"delta":"Hm","type":"response.reasoning_summary_text.delta"}`,
      ),
      event("response.output_text.delta", `{"delta":"Hi","type":"response.output_text.delta"}`),
      event("response.output_text.done", `{"text":"Hi","type":"response.output_text.done"}`),
      event(
        "response.completed",
        `{"response":{"status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":11,"output_tokens":3,"total_tokens":14}},"type":"response.completed"}`,
      ),
    ],
    measured: {
      response: "<think>Hm</think>\n\nHi",
      ...COUNTS,
      ttft_ms: 120,
      decode_ms: 10,
      done_reason: "completed",
    },
  },
  {
    name: "a response that fails",
    options: responses,
    contentType: SSE,
    chunks: [
      event("response.output_text.delta", `{"delta":"Hi","type":"response.output_text.delta"}`),
      event(
        "response.failed",
        `{"response":{"status":"failed","error":{"code":"server_error","message":"no search"}},"type":"response.failed"}`,
      ),
    ],
    measured: {
      response: "Hi",
      completion_tokens: 1,
      ttft_ms: 110,
      done_reason: "failed",
      error: "no search",
    },
  },
  {
    name: "a response that ends without its last event",
    options: responses,
    contentType: SSE,
    chunks: [
      event(
        "response.output_item.added",
        `{"item":{"type":"function_call","name":"f","arguments":"","status":"in_progress"},"type":"response.output_item.added"}`,
      ),
      event(
        "response.function_call_arguments.delta",
        `{"delta":"{\\"a\\":1}","type":"response.function_call_arguments.delta"}`,
      ),
    ],
    measured: {
      response: `<tool_call>{"name":"f","arguments":{"a":1}`,
      completion_tokens: 1,
      ttft_ms: 120,
      error: "the answer ended without its last event (response.completed)",
    },
  },
  {
    name: "a response that is not streamed and reached its limit, which is incomplete but not an error",
    options: whole(responses),
    contentType: "application/json",
    chunks: [
      `{"status":"incomplete","error":null,"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]},{"type":"function_call","name":"f","arguments":"{\\"a\\":1}"},{"type":"message","content":[{"type":"output_text","text":"H"},{"type":"output_text","text":"i"}]}],"usage":{"input_tokens":11,"output_tokens":3}}\n`,
    ],
    measured: {
      response: `<think>Hm</think>\n\nHi\n<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>`,
      ...COUNTS,
      done_reason: "incomplete",
    },
  },
];
