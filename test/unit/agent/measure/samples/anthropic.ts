/** Answers of Anthropic's API. */
import { COUNTS, event, messages, type Sample, SSE, v1Chat, whole } from "./sample.ts";

export const ANTHROPIC: Sample[] = [
  {
    name: "a streamed message, whose final usage replaces the estimate of its start",
    options: messages,
    contentType: SSE,
    chunks: [
      event(
        "message_start",
        `{"type":"message_start","message":{"id":"msg_1","content":[],"usage":{"input_tokens":99,"output_tokens":0}}}`,
      ),
      event(
        "content_block_start",
        `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
      ),
      event(
        "content_block_delta",
        `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}`,
      ),
      event(
        "content_block_start",
        `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
      ),
      event(
        "content_block_delta",
        `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}`,
      ),
      event(
        "message_delta",
        `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":11,"output_tokens":3}}`,
      ),
      event("message_stop", `{"type":"message_stop"}`),
    ],
    measured: {
      response: "<think>Hm</think>\n\nHi",
      ...COUNTS,
      ttft_ms: 130,
      decode_ms: 20,
      done_reason: "end_turn",
    },
  },
  {
    name: "a message of an Ollama before 0.15.5, which has only the estimate",
    options: messages,
    contentType: SSE,
    chunks: [
      event(
        "message_start",
        `{"type":"message_start","message":{"usage":{"input_tokens":99,"output_tokens":0}}}`,
      ),
      event(
        "content_block_start",
        `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
      ),
      event(
        "content_block_delta",
        `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}`,
      ),
      event(
        "message_delta",
        `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":62}}`,
      ),
      event("message_stop", `{"type":"message_stop"}`),
    ],
    measured: {
      response: `<tool_call>{"name":"f","arguments":{}}</tool_call>`,
      prompt_tokens: 99,
      completion_tokens: 62,
      ttft_ms: 120,
      decode_ms: 10,
      done_reason: "tool_use",
    },
  },
  {
    name: "a message with an error event",
    options: messages,
    contentType: SSE,
    chunks: [
      event(
        "message_start",
        `{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}`,
      ),
      event("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`),
    ],
    measured: { error: "Overloaded" },
  },
  {
    name: "a message that ends without message_stop",
    options: messages,
    contentType: SSE,
    chunks: [
      event(
        "content_block_delta",
        `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`,
      ),
    ],
    measured: {
      response: "Hi",
      completion_tokens: 1,
      ttft_ms: 110,
      error: "the answer ended without its last event (message_stop)",
    },
  },
  {
    name: "a message that is not streamed",
    options: whole(messages),
    contentType: "application/json",
    chunks: [
      `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"Hm"},{"type":"text","text":"Hi"},{"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"end_turn","usage":{"input_tokens":11,"output_tokens":3}}\n`,
    ],
    measured: {
      response: `<think>Hm</think>\n\nHi\n<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>`,
      ...COUNTS,
      done_reason: "end_turn",
    },
  },
  {
    name: "an event stream with CRLF, comments and data in two lines",
    options: v1Chat,
    contentType: "text/event-stream; charset=utf-8",
    chunks: [
      `: hello\r\n\r\n`,
      `id: 1\r\ndata: {"choices":[{"delta":\r\ndata: {"content":"x"},"finish_reason":"stop"}]}\r\n\r\n`,
      `data:[DONE]\r\n\r\n`,
    ],
    measured: { response: "x", ttft_ms: 120, done_reason: "stop" },
  },
];
