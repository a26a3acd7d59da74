/** The type of a sample, and parts shared by many samples. */
import type { Measured, MeterOptions } from "../../../../../agent/measure/meter.ts";

export type Sample = {
  name: string;
  options: Pick<MeterOptions, "endpoint" | "api" | "stream">;
  status?: number;
  contentType: string;
  chunks: string[];
  measured: Partial<Measured>;
};

export const START_MS = 1_000;

export const NDJSON = "application/x-ndjson";
export const JSON_TYPE = "application/json; charset=utf-8";
export const SSE = "text/event-stream";

export const chat = { endpoint: "/api/chat", api: "ollama", stream: true } as const;
export const generate = { endpoint: "/api/generate", api: "ollama", stream: true } as const;
export const v1Chat = { endpoint: "/v1/chat/completions", api: "openai", stream: true } as const;
export const v1Completions = { endpoint: "/v1/completions", api: "openai", stream: true } as const;
export const responses = { endpoint: "/v1/responses", api: "openai", stream: true } as const;
export const messages = { endpoint: "/v1/messages", api: "anthropic", stream: true } as const;
export const whole = <Options extends Sample["options"]>(options: Options) => ({
  ...options,
  stream: false,
});

export const METRICS = `"total_duration":2000000000,"load_duration":500000000,"prompt_eval_count":11,"prompt_eval_duration":250000000,"eval_count":3,"eval_duration":1000000000`;
export const TIMES = { queue_ms: 250, load_ms: 500, prefill_ms: 250, decode_ms: 1_000 };
export const COUNTS = { prompt_tokens: 11, completion_tokens: 3 };
export const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`;
export const v1Chunk = (delta: string, finish = "null") =>
  `data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]}\n\n`;
export const v1Usage = `data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}\n\n`;
export const DONE = "data: [DONE]\n\n";
