/**
 * Example requests for tests of the spool: the entry that begins one, and the record that ends it.
 */
import type { SpoolEntry } from "../../agent/spool/lines.ts";
import type { ReportedRecord } from "../../protocol/records.ts";
import { recordOf } from "./records.ts";

export const opened = (id: string, prompt: string | null = "why is the sky blue?"): SpoolEntry => ({
  request_id: id,
  box: "box-1",
  prompt,
  source: "edge",
  open: {
    method: "POST",
    path: "/api/chat",
    headers: [["x-private", "never stored"]],
    endpoint: "/api/chat",
    api: "ollama",
    model: "llama3.2",
    stream: true,
    started_at: "2026-08-01T00:00:00.000Z",
    edge_ms: 4,
    keep_text: true,
    key_id: "key-1",
    client_ip: "203.0.113.7",
    user_agent: "test",
    seal: "key.signature",
  },
});

export const finished = (id: string, response: string | null = "because"): ReportedRecord => ({
  ...recordOf(Date.parse("2026-08-01T00:00:00.000Z"), {
    request_id: id,
    box: "box-1",
    prompt: "why is the sky blue?",
    response,
    key_id: "key-1",
    client_ip: "203.0.113.7",
    user_agent: "test",
  }),
  seal: "key.signature",
});
