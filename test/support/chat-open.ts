/** OPEN of a streamed chat, as the edge sends it to an agent. */
import type { Open } from "../../protocol/messages.ts";

export const CHAT_OPEN: Open = {
  method: "POST",
  path: "/api/chat",
  headers: [],
  endpoint: "/api/chat",
  api: "ollama",
  model: "m",
  stream: true,
  started_at: "2026-08-01T00:00:00.000Z",
  edge_ms: 4,
  keep_text: false,
  key_id: null,
  client_ip: null,
  user_agent: null,
};
