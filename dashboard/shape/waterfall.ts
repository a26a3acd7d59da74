/**
 * Where the time of a request went. Pure.
 *
 * Edge and tunnel come first, though a part of the tunnel's round trip is the way back. Ollama says how
 * long it loaded, read the prompt and wrote the answer, and the wait for a slot is told by subtraction.
 * What nobody said is one segment that says so.
 */
import type { LogEntry } from "../../protocol/api/stats.ts";

export type Phase = "edge" | "tunnel" | "queue" | "load" | "prefill" | "decode" | "rest";

export type Segment = {
  phase: Phase;
  ms: number;
  /** Where it begins, and how long it is, as part of the whole: 0..1. */
  from: number;
  part: number;
};

/** Less than this much of nothing in particular is not worth a segment. */
const REST_PART_MIN = 0.005;

export type Times = Pick<
  LogEntry,
  "latency_ms" | "edge_ms" | "tunnel_ms" | "queue_ms" | "load_ms" | "prefill_ms" | "decode_ms"
>;

export function segmentsOf(times: Times): Segment[] {
  const { latency_ms, edge_ms, tunnel_ms, queue_ms, load_ms, prefill_ms, decode_ms } = times;
  const measured: [Phase, number | null][] = [
    ["edge", edge_ms],
    ["tunnel", tunnel_ms],
    ["queue", queue_ms],
    ["load", load_ms],
    ["prefill", prefill_ms],
    ["decode", decode_ms],
  ];
  const known = measured.flatMap(([phase, ms]): [Phase, number][] =>
    ms === null || ms <= 0 ? [] : [[phase, ms]],
  );
  const sum = known.reduce((total, [, ms]) => total + ms, 0);
  // Their clocks may disagree by a moment, and the tunnel be quicker than its last heartbeat: then the phases are the whole.
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
