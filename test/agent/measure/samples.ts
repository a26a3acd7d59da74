/**
 * Answers of Ollama as they are on the wire, and what is to be measured of each. Written by hand
 * after the server's sources; the shapes are those of real captures.
 *
 * Each chunk is fed whole, 10 ms after the one before; the request arrived at 1,000, the head
 * comes at 1,100. So the first chunk is at 1,110: a TTFT of 110 ms.
 */
import type { Measured, MeterOptions } from "../../../agent/measure/meter.ts";

export type Sample = {
  name: string;
  options: Pick<MeterOptions, "endpoint" | "api" | "stream">;
  status?: number;
  contentType: string;
  chunks: string[];
  measured: Partial<Measured>;
};

export const START_MS = 1_000;

const NDJSON = "application/x-ndjson";
const JSON_TYPE = "application/json; charset=utf-8";
const SSE = "text/event-stream";

const chat = { endpoint: "/api/chat", api: "ollama", stream: true } as const;
const generate = { endpoint: "/api/generate", api: "ollama", stream: true } as const;
const v1Chat = { endpoint: "/v1/chat/completions", api: "openai", stream: true } as const;
const v1Completions = { endpoint: "/v1/completions", api: "openai", stream: true } as const;
const responses = { endpoint: "/v1/responses", api: "openai", stream: true } as const;
const messages = { endpoint: "/v1/messages", api: "anthropic", stream: true } as const;
const whole = <Options extends Sample["options"]>(options: Options) => ({ ...options, stream: false });

const METRICS = `"total_duration":2000000000,"load_duration":500000000,"prompt_eval_count":11,"prompt_eval_duration":250000000,"eval_count":3,"eval_duration":1000000000`;
const TIMES = { queue_ms: 250, load_ms: 500, prefill_ms: 250, decode_ms: 1_000 };
const COUNTS = { prompt_tokens: 11, completion_tokens: 3 };
const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`;
const v1Chunk = (delta: string, finish = "null") =>
  `data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]}\n\n`;
const v1Usage = `data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}\n\n`;
const DONE = "data: [DONE]\n\n";

export const SAMPLES: Sample[] = [
  {
    name: "a chat, streamed",
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
    name: "a chat that thinks first: thinking is content, not response",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"role":"assistant","content":""},"done":false}\n`,
      `{"message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}\n`,
      `{"message":{"role":"assistant","content":"4"},"done":false}\n`,
      `{"message":{"role":"assistant","content":""},"done":true,"done_reason":"length",${METRICS}}\n`,
    ],
    measured: { response: "4", ...COUNTS, ...TIMES, ttft_ms: 120, done_reason: "length" },
  },
  {
    name: "a chat that calls a tool",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Tokyo"}}}]},"done":false}\n`,
      `{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",${METRICS}}\n`,
    ],
    measured: { ...COUNTS, ...TIMES, ttft_ms: 110, done_reason: "stop" },
  },
  {
    name: "a chat whose prompt was cached by an old Ollama: no count is no zero, and no prefill is no queue",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"content":"a"},"done":false}\n`,
      `{"message":{"content":""},"done":true,"total_duration":9000000,"load_duration":1000000,"eval_count":2,"eval_duration":3000000}\n`,
    ],
    measured: { response: "a", completion_tokens: 2, ttft_ms: 110, load_ms: 1, decode_ms: 3 },
  },
  {
    name: "a chat whose fields have wrong types: unknown, and no failure",
    options: chat,
    contentType: NDJSON,
    chunks: [
      `{"message":{"content":7,"thinking":null,"tool_calls":"x"},"done":"no"}\n`,
      `{"message":[],"done":true,"done_reason":5,"eval_count":"3","prompt_eval_count":-1,"eval_duration":{}}\n`,
    ],
    measured: {},
  },
  {
    name: "a chat, not streamed",
    options: whole(chat),
    contentType: JSON_TYPE,
    chunks: [`{"message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop",${METRICS}}`],
    measured: { response: "Hi", ...COUNTS, ...TIMES, ttft_ms: 110, done_reason: "stop" },
  },
  {
    name: "a mere load of a model: one object, though a stream was asked for",
    options: chat,
    contentType: JSON_TYPE,
    chunks: [
      `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}`,
    ],
    measured: { done_reason: "load" },
  },
  {
    name: "a generate, streamed, and its last line without a line feed",
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
    chunks: [`{"response":"I","done":false}\n`, `{"error":"an error was encountered while running the model"}\n`],
    measured: { response: "I", ttft_ms: 110, error: "an error was encountered while running the model" },
  },
  {
    name: "a chat that ends in silence",
    options: chat,
    contentType: NDJSON,
    chunks: [`{"message":{"content":"no "},"done":false}\n`, `{"message":{"content":"no "},"done":false}\n`],
    measured: { response: "no no ", ttft_ms: 110, error: "the answer ended without its last line (done:true)" },
  },
  {
    name: "a chat that is cut off inside a line",
    options: chat,
    contentType: NDJSON,
    chunks: [`{"message":{"content":"a"},"done":false}\n`, `{"message":{"con`],
    measured: { response: "a", ttft_ms: 110, error: "the answer ended without its last line (done:true)" },
  },
  {
    name: "a chat with a line that is not JSON",
    options: chat,
    contentType: NDJSON,
    chunks: [`{"message":{"content":"a"},"done":false}\n`, `oops\n`, `\n`, `{"message":{"content":"b"},"done":true,${METRICS}}\n`],
    measured: { response: "ab", ...COUNTS, ...TIMES, ttft_ms: 110, error: "the answer has a line that is not JSON" },
  },
  {
    name: "a chat, not streamed, that is not done",
    options: whole(chat),
    contentType: JSON_TYPE,
    chunks: [`{"message":{"role":"assistant","content":"no no"},"done":false}`],
    measured: { response: "no no", ttft_ms: 110, error: "the answer is not complete (done:true is missing)" },
  },
  {
    name: "a chat, not streamed, that is cut off",
    options: whole(chat),
    contentType: JSON_TYPE,
    chunks: [`{"message":{"role":"assi`],
    measured: { error: "the answer is not JSON, or ended in the middle" },
  },
  {
    name: "a pull that succeeds",
    options: { endpoint: "/api/pull", api: "ollama", stream: true },
    contentType: NDJSON,
    chunks: [`{"status":"pulling manifest"}\n`, `{"status":"pulling 0123","digest":"sha256:0123","total":9}\n`, `{"status":"success"}\n`],
    measured: {},
  },
  {
    name: "a pull that stops before its success",
    options: { endpoint: "/api/pull", api: "ollama", stream: true },
    contentType: NDJSON,
    chunks: [`{"status":"pulling manifest"}\n`, `{"status":"writing manifest"}\n`],
    measured: { error: "the answer ended without its last line (status success)" },
  },
  {
    name: "a pull that fails",
    options: { endpoint: "/api/pull", api: "ollama", stream: true },
    contentType: NDJSON,
    chunks: [`{"status":"pulling manifest"}\n`, `{"error":"pull model manifest: file does not exist"}\n`],
    measured: { error: "pull model manifest: file does not exist" },
  },
  {
    name: "a create, not streamed",
    options: { endpoint: "/api/create", api: "ollama", stream: false },
    contentType: "application/json",
    chunks: [`{"status":"success"}`],
    measured: {},
  },
  {
    name: "embed",
    options: { endpoint: "/api/embed", api: "ollama", stream: false },
    contentType: JSON_TYPE,
    chunks: [`{"model":"e","embeddings":[[0.1,-0.2],[3e-7,4]],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8}`],
    measured: { prompt_tokens: 8, ttft_ms: 110, load_ms: 1.02 },
  },
  {
    name: "embeddings, which counts nothing",
    options: { endpoint: "/api/embeddings", api: "ollama", stream: false },
    contentType: JSON_TYPE,
    chunks: [`{"embedding":[0.1,-0.2]}`],
    measured: { ttft_ms: 110 },
  },
  {
    name: "embeddings of OpenAI's kind",
    options: { endpoint: "/v1/embeddings", api: "openai", stream: false },
    contentType: "application/json",
    chunks: [
      `{"object":"list","data":[{"object":"embedding","embedding":"zczMPQ==","index":0}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}\n`,
    ],
    measured: { prompt_tokens: 8, ttft_ms: 110 },
  },
  {
    name: "an OpenAI chat that was asked for usage",
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
    measured: { response: "Grüß dich 👋", ...COUNTS, ttft_ms: 110, decode_ms: 20, done_reason: "stop" },
  },
  {
    name: "an OpenAI chat that was not asked for usage, and calls a tool",
    options: v1Chat,
    contentType: SSE,
    chunks: [
      v1Chunk(
        `{"role":"assistant","content":"","tool_calls":[{"id":"c1","index":0,"type":"function","function":{"name":"f","arguments":"{}"}}]}`,
      ),
      v1Chunk(`{"content":""}`, `"tool_calls"`),
      DONE,
    ],
    measured: { ttft_ms: 110, done_reason: "tool_calls" },
  },
  {
    name: "an OpenAI chat that fails in the middle: an empty chunk, then silence",
    options: v1Chat,
    contentType: SSE,
    chunks: [v1Chunk(`{"role":"assistant","content":"I"}`), v1Chunk(`{"content":""}`)],
    measured: { response: "I", ttft_ms: 110, error: "the answer ended without its last event ([DONE])" },
  },
  {
    name: "an OpenAI chat with an error event",
    options: v1Chat,
    contentType: SSE,
    chunks: [v1Chunk(`{"content":"I"}`), `data: {"error":{"message":"it broke","type":"api_error","param":null,"code":null}}\n\n`],
    measured: { response: "I", ttft_ms: 110, error: "it broke" },
  },
  {
    name: "an OpenAI chat, not streamed, of a model that counted nothing: its zeros are unknown",
    options: whole(v1Chat),
    contentType: "application/json",
    chunks: [
      `{"id":"chatcmpl-7","object":"chat.completion","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"4","reasoning":"Hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":3,"total_tokens":3}}\n`,
    ],
    measured: { response: "4", completion_tokens: 3, ttft_ms: 110, done_reason: "stop" },
  },
  {
    name: "an OpenAI completion that was asked for usage",
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
    name: "a response, streamed",
    options: responses,
    contentType: SSE,
    chunks: [
      event(
        "response.created",
        `{"response":{"status":"in_progress","output":[],"usage":null,"error":null},"sequence_number":0,"type":"response.created"}`,
      ),
      event("response.reasoning_summary_text.delta", `{"delta":"Hm","type":"response.reasoning_summary_text.delta"}`),
      event("response.output_text.delta", `{"delta":"Hi","type":"response.output_text.delta"}`),
      event("response.output_text.done", `{"text":"Hi","type":"response.output_text.done"}`),
      event(
        "response.completed",
        `{"response":{"status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":11,"output_tokens":3,"total_tokens":14}},"type":"response.completed"}`,
      ),
    ],
    measured: { response: "Hi", ...COUNTS, ttft_ms: 120, decode_ms: 10, done_reason: "completed" },
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
    measured: { response: "Hi", ttft_ms: 110, done_reason: "failed", error: "no search" },
  },
  {
    name: "a response that ends in silence",
    options: responses,
    contentType: SSE,
    chunks: [event("response.function_call_arguments.delta", `{"delta":"{}","type":"response.function_call_arguments.delta"}`)],
    measured: { ttft_ms: 110, error: "the answer ended without its last event (response.completed)" },
  },
  {
    name: "a response, not streamed, that reached its limit: incomplete, and no error",
    options: whole(responses),
    contentType: "application/json",
    chunks: [
      `{"status":"incomplete","error":null,"output":[{"type":"reasoning","summary":[]},{"type":"message","content":[{"type":"output_text","text":"H"},{"type":"output_text","text":"i"}]}],"usage":{"input_tokens":11,"output_tokens":3}}\n`,
    ],
    measured: { response: "Hi", ...COUNTS, ttft_ms: 110, done_reason: "incomplete" },
  },
  {
    name: "a message, streamed: the estimate of its start gives way",
    options: messages,
    contentType: SSE,
    chunks: [
      event(
        "message_start",
        `{"type":"message_start","message":{"id":"msg_1","content":[],"usage":{"input_tokens":99,"output_tokens":0}}}`,
      ),
      event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`),
      event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}`),
      event("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`),
      event("content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}`),
      event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":11,"output_tokens":3}}`),
      event("message_stop", `{"type":"message_stop"}`),
    ],
    measured: { response: "Hi", ...COUNTS, ttft_ms: 130, decode_ms: 20, done_reason: "end_turn" },
  },
  {
    name: "a message of an Ollama before 0.15.5: the estimate is all there is",
    options: messages,
    contentType: SSE,
    chunks: [
      event("message_start", `{"type":"message_start","message":{"usage":{"input_tokens":99,"output_tokens":0}}}`),
      event(
        "content_block_start",
        `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
      ),
      event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}`),
      event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":62}}`),
      event("message_stop", `{"type":"message_stop"}`),
    ],
    measured: { prompt_tokens: 99, completion_tokens: 62, ttft_ms: 120, decode_ms: 10, done_reason: "tool_use" },
  },
  {
    name: "a message with an error event",
    options: messages,
    contentType: SSE,
    chunks: [
      event("message_start", `{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}`),
      event("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`),
    ],
    measured: { error: "Overloaded" },
  },
  {
    name: "a message that ends in silence",
    options: messages,
    contentType: SSE,
    chunks: [event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`)],
    measured: { response: "Hi", ttft_ms: 110, error: "the answer ended without its last event (message_stop)" },
  },
  {
    name: "a message, not streamed",
    options: whole(messages),
    contentType: "application/json",
    chunks: [
      `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"Hm"},{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":11,"output_tokens":3}}\n`,
    ],
    measured: { response: "Hi", ...COUNTS, ttft_ms: 110, done_reason: "end_turn" },
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
  {
    name: "a refusal, native",
    options: chat,
    status: 404,
    contentType: JSON_TYPE,
    chunks: [`{"error":"model 'nope' not found"}`],
    measured: { error: "model 'nope' not found" },
  },
  {
    name: "a refusal, OpenAI's",
    options: v1Chat,
    status: 400,
    contentType: "application/json",
    chunks: [`{"error":{"message":"[] is too short - 'messages'","type":"invalid_request_error","param":null,"code":null}}\n`],
    measured: { error: "[] is too short - 'messages'" },
  },
  {
    name: "a refusal, Anthropic's",
    options: messages,
    status: 503,
    contentType: "application/json",
    chunks: [`{"type":"error","error":{"type":"overloaded_error","message":"server busy, please try again."},"request_id":"req_1"}\n`],
    measured: { error: "server busy, please try again." },
  },
  {
    name: "a refusal to sign in, without the link that names the host",
    options: chat,
    status: 401,
    contentType: JSON_TYPE,
    chunks: [`{"error":"unauthorized","signin_url":"https://ollama.com/connect?name=HOST&key=KEY"}`],
    measured: { error: "unauthorized" },
  },
  {
    name: "a refusal in plain text, of an endpoint that is not measured",
    options: { endpoint: "/api/tags", api: "ollama", stream: false },
    status: 404,
    contentType: "text/plain",
    chunks: ["404 page not found"],
    measured: { error: "404 page not found" },
  },
  {
    name: "a refusal of the Host, without a word",
    options: chat,
    status: 403,
    contentType: "",
    chunks: [],
    measured: { error: "Ollama refused the Host or Origin header (403 without a text)" },
  },
  {
    name: "a list of models: nothing is measured",
    options: { endpoint: "/api/tags", api: "ollama", stream: false },
    contentType: JSON_TYPE,
    chunks: [`{"models":[]}`],
    measured: {},
  },
  {
    name: "the root page",
    options: { endpoint: "/", api: "ollama", stream: false },
    contentType: "text/plain; charset=utf-8",
    chunks: ["Ollama is running"],
    measured: {},
  },
];
