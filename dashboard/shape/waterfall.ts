/**
 * Where the time of a request went. Pure.
 *
 * All of it was measured on the box, from the arrival of the request there: Ollama says how long it
 * loaded, read the prompt and wrote the answer, and the rest is told apart by subtraction. What Ollama
 * did not say is one segment that says so.
 */
import type { LogEntry } from "../../protocol/api/stats.ts";

export type Phase = "queue" | "load" | "prefill" | "decode" | "rest";

export type Segment = {
  phase: Phase;
  ms: number;
  /** Where it begins, and how long it is, as part of the whole: 0..1. */
  from: number;
  part: number;
};

/** Less than this much of nothing in particular is not worth a segment. */
const REST_PART_MIN = 0.005;

export function segmentsOf(entry: Pick<LogEntry, "latency_ms" | "queue_ms" | "load_ms" | "prefill_ms" | "decode_ms">): Segment[] {
  const { latency_ms, queue_ms, load_ms, prefill_ms, decode_ms } = entry;
  const measured: [Phase, number | null][] = [
    ["queue", queue_ms],
    ["load", load_ms],
    ["prefill", prefill_ms],
    ["decode", decode_ms],
  ];
  const known = measured.flatMap(([phase, ms]): [Phase, number][] => (ms === null || ms <= 0 ? [] : [[phase, ms]]));
  const sum = known.reduce((total, [, ms]) => total + ms, 0);
  // Ollama's clock and the agent's may disagree by a moment: then the phases are the whole.
  const total = Math.max(latency_ms, sum);
  if (total <= 0) return [];
  const rest = total - sum;
  const all: [Phase, number][] = rest / total >= REST_PART_MIN ? [...known, ["rest", rest]] : known;
  let from = 0;
  return all.map(([phase, ms]) => {
    const segment = { phase, ms, from, part: ms / total };
    from += segment.part;
    return segment;
  });
}
