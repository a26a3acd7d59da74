/** Made-up requests for tests of the spool: what an agent begins, and the record it ends with. */
import type { SpoolEntry } from "../../agent/spool-lines.ts";
import type { RequestRecord } from "../../protocol/records.ts";

export const opened = (id: string, prompt: string | null = "why is the sky blue?"): SpoolEntry => ({
  request_id: id,
  box: "box-1",
  prompt,
  open: {
    method: "POST",
    path: "/api/chat",
    headers: [["x-private", "never stored"]],
    endpoint: "/api/chat",
    api: "ollama",
    model: "llama3.2",
    stream: true,
    started_at: "2026-08-01T00:00:00.000Z",
    keep_text: true,
    key_id: "key-1",
    client_ip: "203.0.113.7",
    user_agent: "test",
  },
});

export const finished = (id: string, response: string | null = "because"): RequestRecord => ({
  request_id: id,
  started_at: "2026-08-01T00:00:00.000Z",
  box: "box-1",
  model: "llama3.2",
  endpoint: "/api/chat",
  api: "ollama",
  stream: true,
  status: "success",
  http_status: 200,
  failed_at: null,
  error_message: null,
  prompt: "why is the sky blue?",
  response,
  prompt_tokens: 26,
  completion_tokens: 259,
  latency_ms: 4_900.5,
  ttft_ms: 300,
  queue_ms: 0,
  load_ms: 12,
  prefill_ms: 200,
  decode_ms: 4_232.71,
  done_reason: "stop",
  key_id: "key-1",
  client_ip: "203.0.113.7",
  user_agent: "test",
  energy_j: null,
  resumed: 0,
});
