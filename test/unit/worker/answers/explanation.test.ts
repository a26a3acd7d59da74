import { expect, test } from "vitest";
import type { LogEntry } from "../../../../protocol/api/logs.ts";
import {
  type Around,
  explanationOf,
  NOTHING_AROUND,
} from "../../../../worker/answers/explanation.ts";
import { recordOf } from "../../../support/records.ts";

const START = Date.parse("2026-11-24T12:00:00Z");

function entryOf(rest: Partial<LogEntry>): LogEntry {
  const { request_id: id, started_at: timestamp, ...record } = recordOf(START);
  const phases = { edge_ms: 0, tunnel_ms: 0, queue_ms: 0, load_ms: 0, prefill_ms: 0, decode_ms: 0 };
  return { id, timestamp, ...record, ...phases, tokens_used: 120, ...rest };
}

const during = (kind: string, afterMs: number, box = "atlas") => ({
  ...{ kind, box, model: null },
  atMs: START + afterMs,
});

const CAUSES: [name: string, entry: Partial<LogEntry>, around: Partial<Around>, text: string][] = [
  [
    "a tunnel that was cut while it waited",
    { latency_ms: 2_890, edge_ms: 1_590, decode_ms: 1_000 },
    { slowerThan: 0.98, events: [during("tunnel_cut", 100)] },
    "2.89 s, slower than 98 % of this model; 55 % of it was waiting at the edge while the tunnel was cut; 35 % of it was writing 100 tokens at 100 tokens/s",
  ],
  [
    "another box that was cut, which explains nothing",
    { latency_ms: 2_000, edge_ms: 2_000 },
    { events: [during("tunnel_cut", 100, "basil"), during("tunnel_cut", 5_000)] },
    "2.00 s; 100 % of it was waiting at the edge",
  ],
  [
    "a box that failed before",
    { latency_ms: 4_500, edge_ms: 4_100, moved_from: "basil:no_answer:4000ms" },
    {},
    "4.50 s; 91 % of it was waiting at the edge until basil (no answer) had failed",
  ],
  [
    "other requests before it",
    { latency_ms: 10_000, queue_ms: 9_000, decode_ms: 1_000 },
    { beside: 3, slowerThan: 0.9 },
    "10.0 s, slower than 90 % of this model; 90 % of it was waiting for a free slot behind 3 other requests",
  ],
  [
    "a model that was not in memory",
    { latency_ms: 12_000, load_ms: 10_800 },
    { usedMs: START - 2 * 3_600_000 },
    "12.0 s; 90 % of it was loading the model, last used 2 h before",
  ],
  [
    "a long prompt that did not fit",
    {
      ...{ latency_ms: 5_000, prefill_ms: 4_000, decode_ms: 900 },
      ...{ prompt_tokens: 4_096, prompt_truncated: true, context_length: 4_096 },
    },
    {},
    "5.00 s; 80 % of it was reading 4096 tokens of prompt; a part of the prompt did not fit into the context of 4096 tokens",
  ],
  [
    "a prompt that was mostly cached",
    { latency_ms: 1_100, prefill_ms: 100, decode_ms: 900, prompt_tokens: 1_000 },
    { cachedTokens: 880, tokensPerSecond: 110 },
    "1.10 s; 82 % of it was writing 100 tokens at 111.1 tokens/s; about 88 % of its prompt was cached",
  ],
  [
    "a prompt of which less than half may have been cached",
    { latency_ms: 1_100, prefill_ms: 150, decode_ms: 900, prompt_tokens: 1_000 },
    { cachedTokens: 490 },
    "1.10 s; 82 % of it was writing 100 tokens at 111.1 tokens/s",
  ],
  [
    "a GPU that was slow",
    { latency_ms: 4_000, decode_ms: 4_000 },
    { tokensPerSecond: 50, slowerThan: 0.99 },
    "4.00 s, slower than 99 % of this model; 100 % of it was writing 100 tokens at 25 tokens/s, 50 % fewer than usual on this box",
  ],
  [
    "nothing that is wrong",
    { latency_ms: 800, decode_ms: 760 },
    { tokensPerSecond: 130, slowerThan: 0.3, beside: 2, usedMs: START - 9_000 },
    "800 ms, quicker than 70 % of this model; 95 % of it was writing 100 tokens at 131.6 tokens/s",
  ],
  [
    "a tunnel that was cut in mid-answer",
    { latency_ms: 3_000, decode_ms: 2_900, resumed: 2 },
    {},
    "3.00 s; 97 % of it was writing 100 tokens at 34.5 tokens/s; the tunnel was cut 2 times, and the answer went on",
  ],
  [
    "an error in Ollama",
    { latency_ms: 120, status: "error", failed_at: "ollama", http_status: 500 },
    { slowerThan: 0.9 },
    "Failed after 120 ms in Ollama (500); 100 % of it was outside of the known phases",
  ],
  [
    "a caller that left",
    { latency_ms: 9_000, status: "cancelled", http_status: 499, queue_ms: 8_900 },
    { beside: 1 },
    "The caller left after 9.00 s; 99 % of it was waiting for a free slot behind another request",
  ],
  [
    "figures that are unknown",
    { latency_ms: 700, edge_ms: null, decode_ms: null, completion_tokens: null },
    {},
    "700 ms; 100 % of it was outside of the known phases",
  ],
];

test.each(CAUSES)("explains the time of a request by %s", (_name, entry, around, text) => {
  expect(explanationOf(entryOf(entry), { ...NOTHING_AROUND, ...around })).toBe(text);
});
