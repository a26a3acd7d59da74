/**
 * The time of a request, split into phases. Pure.
 *
 * Edge and tunnel come first, although part of the tunnel's round trip is the way back. Ollama
 * reports the load, prefill and decode times, and the queue time is derived by subtraction; the
 * agent infers all four for APIs that report none. Time that no phase accounts for becomes one
 * segment, "other".
 */
import type { LogEntry } from "../../protocol/api/logs.ts";

export type Phase = "edge" | "tunnel" | "queue" | "load" | "prefill" | "decode" | "other";

export type Segment = {
  phase: Phase;
  ms: number;
  /** Start and length as fractions of the whole, 0 to 1. */
  from: number;
  part: number;
};

/** A smaller share of unaccounted time gets no segment. */
const OTHER_PART_MIN = 0.005;

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
  // The phases can add up to more than the latency: clocks differ slightly, and the tunnel may have
  // been faster than its last heartbeat. Their sum is then the whole.
  const total = Math.max(latency_ms, sum);
  if (total <= 0) return [];
  const other = total - sum;
  const all: [Phase, number][] =
    other / total >= OTHER_PART_MIN ? [...known, ["other", other]] : known;
  let from = 0;
  return all.map(([phase, ms]) => {
    const segment = { phase, ms, from, part: ms / total };
    from += segment.part;
    return segment;
  });
}

/** Returns where the phases on the box come from. Older records have phases without a source. */
export function phasesFrom({
  phases_source,
  queue_ms,
  load_ms,
  prefill_ms,
  decode_ms,
}: Times & Pick<LogEntry, "phases_source">): "ollama" | "inferred" | "unknown" {
  if (phases_source !== null) return phases_source;
  const isUnknown = [queue_ms, load_ms, prefill_ms, decode_ms].every((ms) => ms === null);
  return isUnknown ? "unknown" : "ollama";
}
