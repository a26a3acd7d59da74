/** The sentence of each request against the cause that was planted for it. */
import { expect, test } from "vitest";
import type { LogEntry } from "../../../../protocol/api/logs.ts";
import type { RequestRecord } from "../../../../protocol/records.ts";
import { RecentCalls } from "../../../../worker/aggregator/recent-calls.ts";
import { explanationOf, NOTHING_AROUND } from "../../../../worker/answers/explanation.ts";
import {
  CHANGED_AT,
  PERIOD_FROM,
  type Planted,
  plantedRecords,
} from "../../../support/planted-period.ts";

const SEEDS = 1;
/** Requests of each cause and seed whose sentences are judged. */
const JUDGED = 100;

/**
 * The cause of a request: which of them it struck, by the figures that were planted, and the claim that its
 * sentence must make. No other sentence may make it.
 */
const CAUSES: [name: Planted, struck: (record: RequestRecord) => boolean, claim: RegExp][] = [
  ["models", ({ load_ms }) => (load_ms ?? 0) > 5_000, /loading the model, last used/],
  ["contexts", ({ load_ms }) => (load_ms ?? 0) > 5_000, /loading the model, last used/],
  ["pauses", ({ load_ms }) => (load_ms ?? 0) > 5_000, /loading the model, last used \d+ min/],
  [
    "traffic",
    ({ queue_ms, latency_ms }) => (queue_ms ?? 0) > 0.2 * latency_ms,
    /waiting for a free slot behind (another request|\d+ other requests)/,
  ],
  ["slow_gpu", () => true, /\d+ % fewer than usual on this box/],
  ["failed_box", () => true, /waiting at the edge until basil \(no answer\) had failed/],
  ["tunnel", () => true, /the way through the tunnel/],
  ["long_prompts", ({ key_id }) => key_id === "rag", /reading \d{4,5} tokens of prompt/],
  ["failures", ({ status }) => status === "error", /^Failed after .* in Ollama \(500\)/],
  ["none", () => false, /fewer than usual|had failed|through the tunnel|^Failed|did not fit/],
];

test.each(CAUSES)(
  "the sentences name %s where it was planted, and only there",
  (cause, struck, claim) => {
    const counts = { right: 0, wrong: 0, missed: 0 };
    const mistakes: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const records = plantedRecords(cause, seed);
      const calls = new RecentCalls({ newest: () => [] });
      calls.damage(0);
      for (const record of records) calls.add(record);
      // The first requests have no others to be compared with.
      const later = records.filter(({ started_at }) => Date.parse(started_at) >= PERIOD_FROM);
      const every = Math.ceil(later.length / JUDGED);
      for (const record of later.filter((_, n) => n % every === 0)) {
        const startMs = Date.parse(record.started_at);
        const isStruck = startMs >= CHANGED_AT && struck(record);
        const { prompt_tokens, prefill_ms } = record;
        const prompt = { prompt_tokens, prefill_ms };
        const place = { box: "atlas", model: `${record.model}:latest` };
        const around = calls.around({ ...place, ...prompt, startMs });
        const text = explanationOf(entryOf(record), { ...NOTHING_AROUND, ...around });
        const isNamed = claim.test(text);
        if (isStruck && isNamed) counts.right++;
        else if (isStruck) counts.missed++;
        else if (isNamed) counts.wrong++;
        if (isStruck !== isNamed) mistakes.push(text);
      }
    }
    const { right, wrong, missed } = counts;
    const some = mistakes.slice(0, 5).join("\n");
    if (cause === "none") return expect(counts, some).toEqual({ right: 0, wrong: 0, missed: 0 });
    expect(right / (right + wrong), `precision, ${wrong} wrong: ${some}`).toBeGreaterThanOrEqual(
      0.95,
    );
    expect(right / (right + missed), `recall, ${missed} missed: ${some}`).toBeGreaterThanOrEqual(
      0.95,
    );
  },
);

function entryOf({ request_id: id, started_at: timestamp, ...record }: RequestRecord): LogEntry {
  const phases = [
    "edge_ms",
    "tunnel_ms",
    "queue_ms",
    "load_ms",
    "prefill_ms",
    "decode_ms",
  ] as const;
  const known = Object.fromEntries(phases.map((phase) => [phase, record[phase] ?? 0]));
  return { id, timestamp, ...record, ...known, tokens_used: 120 } as LogEntry;
}
