/**
 * One sentence that explains the time of a request, from its phases and from what else happened then. Pure.
 *
 * It claims nothing that its input does not show: a cause is named only if it overlaps the phase.
 */
import type { LogEntry } from "../../protocol/api/logs.ts";
import { countText, durationText, latencyText, tenths } from "./wording.ts";

/** The surroundings of a request; null where unknown. */
export type Around = {
  /** The part of the requests of its model that were quicker, 0 to 1. */
  slowerThan: number | null;
  /** The events that overlap it, on its box. */
  events: readonly { kind: string; box: string | null; model: string | null; atMs: number }[];
  /** Other calls that its box was serving when it came. */
  beside: number | null;
  /** When the last call of its model on its box had ended, unix ms. */
  usedMs: number | null;
  /** The median rate of its model on its box. */
  tokensPerSecond: number | null;
  /** Tokens of its prompt that were cached, estimated. */
  cachedTokens: number | null;
};

export const NOTHING_AROUND: Around = {
  slowerThan: null,
  events: [],
  beside: null,
  usedMs: null,
  tokensPerSecond: null,
  cachedTokens: null,
};

type Part = { name: string; ms: number; cause: string };

/** A shorter part explains nothing. */
const PART_MIN = 0.2;
/** A rate below this part of the usual one is slow. */
const SLOW_PART = 0.75;
/** A smaller part of a prompt may be the pace of the GPU, not the cache. */
const CACHED_PART = 0.5;

export function explanationOf(entry: LogEntry, around: Around): string {
  const { latency_ms, resumed, prompt_truncated, context_length, prompt_tokens } = entry;
  const { cachedTokens } = around;
  const cachedPart =
    cachedTokens === null || prompt_tokens === null ? 0 : cachedTokens / prompt_tokens;
  const parts = partsOf(entry, around).sort((a, b) => b.ms - a.ms);
  const [main, second] = parts.filter(({ ms }) => ms >= PART_MIN * latency_ms);
  const shares = [main, second].flatMap((part) =>
    part === undefined
      ? []
      : `${percent(part.ms / latency_ms)} of it was ${part.name}${part.cause}`,
  );
  const cut = resumed === 1 ? "the tunnel was cut once" : `the tunnel was cut ${resumed} times`;
  const notes = [
    ...(resumed > 0 ? [`${cut}, and the answer went on`] : []),
    ...(cachedPart >= CACHED_PART ? [`about ${percent(cachedPart)} of its prompt was cached`] : []),
    ...(prompt_truncated === true
      ? [`a part of the prompt did not fit into the context of ${context_length} tokens`]
      : []),
  ];
  return [head(entry, around), ...shares, ...notes].join("; ");
}

function head({ status, failed_at, latency_ms, http_status }: LogEntry, around: Around): string {
  const time = latencyText(latency_ms);
  if (status === "cancelled") return `The caller left after ${time}`;
  if (status === "error")
    return `Failed after ${time} in ${PLACES[failed_at ?? "gateway"]} (${http_status})`;
  const { slowerThan } = around;
  if (slowerThan === null) return time;
  return slowerThan >= 0.5
    ? `${time}, slower than ${percent(slowerThan)} of this model`
    : `${time}, quicker than ${percent(1 - slowerThan)} of this model`;
}

const PLACES = { gateway: "the edge", tunnel: "the tunnel", ollama: "Ollama" };

function partsOf(entry: LogEntry, around: Around): Part[] {
  const { latency_ms, edge_ms, tunnel_ms, queue_ms, load_ms, prefill_ms, decode_ms } = entry;
  const known: Part[] = [
    { name: "waiting at the edge", ms: edge_ms ?? 0, cause: edgeCause(entry, around) },
    { name: "the way through the tunnel", ms: tunnel_ms ?? 0, cause: "" },
    { name: "waiting for a free slot", ms: queue_ms ?? 0, cause: queueCause(around) },
    { name: "loading the model", ms: load_ms ?? 0, cause: loadCause(entry, around) },
    { name: `reading ${tokens(entry.prompt_tokens)} of prompt`, ms: prefill_ms ?? 0, cause: "" },
    {
      name: `writing ${tokens(entry.completion_tokens)}`,
      ms: decode_ms ?? 0,
      cause: rateCause(entry, around),
    },
  ];
  const sum = known.reduce((total, { ms }) => total + ms, 0);
  return [
    ...known,
    { name: "outside of the known phases", ms: Math.max(0, latency_ms - sum), cause: "" },
  ];
}

function edgeCause({ moved_from, box, timestamp, edge_ms }: LogEntry, { events }: Around): string {
  if (moved_from !== null) {
    const boxes = moved_from.split(",").map((moved) => {
      const [name, reason = ""] = moved.split(":");
      return `${name} (${reason.replaceAll("_", " ")})`;
    });
    return ` until ${boxes.join(" and ")} had failed`;
  }
  const fromMs = Date.parse(timestamp);
  const during = events.filter(
    ({ atMs, ...of }) => of.box === box && atMs >= fromMs && atMs <= fromMs + (edge_ms ?? 0),
  );
  if (during.some(({ kind }) => kind === "tunnel_cut" || kind === "tunnel_back"))
    return " while the tunnel was cut";
  if (during.some(({ kind }) => kind === "agent_restarted" || kind === "agent_updated"))
    return " while the agent restarted";
  return "";
}

const queueCause = ({ beside }: Around): string =>
  beside === null || beside === 0
    ? ""
    : ` behind ${beside === 1 ? "another request" : `${beside} other requests`}`;

function loadCause({ timestamp }: LogEntry, { usedMs }: Around): string {
  if (usedMs === null) return "";
  return `, last used ${durationText(Date.parse(timestamp) - usedMs)} before`;
}

function rateCause({ completion_tokens, decode_ms }: LogEntry, around: Around): string {
  if (completion_tokens === null || decode_ms === null || decode_ms === 0) return "";
  const rate = (1_000 * completion_tokens) / decode_ms;
  const text = ` at ${tenths(rate)} tokens/s`;
  const usual = around.tokensPerSecond;
  if (usual === null || rate >= SLOW_PART * usual) return text;
  return `${text}, ${percent(1 - rate / usual)} fewer than usual on this box`;
}

const tokens = (count: number | null): string =>
  count === null ? "tokens" : countText(count, "token");
const percent = (share: number): string => `${Math.round(100 * share)} %`;
