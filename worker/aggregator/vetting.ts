/**
 * Vets the records of an agent: decides which facts of each are true, and which records to refuse.
 *
 * With a valid seal the facts are the edge's own. A call to the agent's listener was never at the edge,
 * so it can have no key of the edge. Agents of earlier versions return no seals: until an agent of a box
 * does, and for what it had not sent by then, their records count without their caller.
 */
import type { RecordSource, ReportedRecord, RequestRecord } from "../../protocol/records.ts";
import { UNROUTED } from "../../protocol/route.ts";
import { OLLAMA_ROUTES } from "../../protocol/routes.ts";
import type { Untrusted } from "../../protocol/untrusted.ts";
import { timeOf } from "../../protocol/uuid-time.ts";
import { acceptedSource, reasonIn, type SealKey, type Verdict, verdictOn } from "../seal.ts";
import { bounded, type RequestLimits } from "./bounds.ts";

const HOUR_MS = 3_600_000;

/** A box stamps calls to its listener with its own clock until it has reached an edge. */
const AHEAD_MAX_MS = 24 * HOUR_MS;
/** Records of earlier requests are refused. */
export const BEHIND_MAX_MS = 90 * 24 * HOUR_MS;

/** Time in which a box that was updated sends what an earlier agent had left in its spool. */
export const UNSEALED_FOR_MS = 7 * 24 * HOUR_MS;

export type BoxTrust = {
  box: string;
  /** The keys whose seals are accepted. */
  keys: readonly SealKey[];
  /** When an agent of the box first returned seals, unix ms; null if none has. */
  sealedSinceMs: number | null;
  powerLimitW: RequestLimits["powerLimitW"];
};

export type Vetted = {
  accepted: RequestRecord[];
  /** One for each record that is refused or has impossible figures. */
  untrusted: { reason: Untrusted; requestId: string }[];
};

/** Vets records that arrive at `nowMs`, unix ms. */
export async function vet(
  reported: readonly ReportedRecord[],
  trust: BoxTrust,
  nowMs: number,
): Promise<Vetted> {
  const vetted: Vetted = { accepted: [], untrusted: [] };
  const verdicts = await Promise.all(
    reported.map(({ seal, ...record }) =>
      verdictOn(seal, { ...record, box: trust.box }, trust.keys),
    ),
  );
  for (const [index, { seal, ...rest }] of reported.entries()) {
    const given = { ...rest, ...UNROUTED, box: trust.box };
    const { request_id: requestId } = given;
    const judged = judge(given, seal, verdicts[index] ?? "unknown", trust, nowMs);
    if (typeof judged === "string") {
      vetted.untrusted.push({ reason: judged, requestId });
      continue;
    }
    const ageMs = nowMs - Date.parse(judged.started_at);
    const { record, impossible } = bounded(judged, { ageMs, powerLimitW: trust.powerLimitW });
    vetted.accepted.push(record);
    if (impossible.length > 0) vetted.untrusted.push({ reason: "values", requestId });
  }
  return vetted;
}

/** Returns the record with the facts that are true, or why it is refused. */
function judge(
  record: RequestRecord,
  seal: string | undefined,
  verdict: Verdict,
  { sealedSinceMs }: BoxTrust,
  nowMs: number,
): RequestRecord | Untrusted {
  if (verdict === "valid") {
    const route_reason = reasonIn(seal);
    return { ...record, source: acceptedSource(route_reason), route_reason, attempts: 1 };
  }
  if (verdict === "forged") return "seal";
  const times = [timeOf(record.request_id), Date.parse(record.started_at)];
  if (times.some((at) => at > nowMs + AHEAD_MAX_MS || at < nowMs - BEHIND_MAX_MS)) return "time";
  if (!isOfRoute(record)) return "endpoint";
  if (OWN_SOURCES.has(record.source))
    return { ...record, key_id: null, edge_ms: null, tunnel_ms: null };
  const isOlder =
    sealedSinceMs === null ||
    (times.every((at) => at <= sealedSinceMs) && nowMs - sealedSinceMs <= UNSEALED_FOR_MS);
  if (!isOlder) return "no_seal";
  return { ...record, source: "unsealed", key_id: null, client_ip: null, user_agent: null };
}

/** Requests that were never at the edge: of callers on the box, and of the agent itself. */
const OWN_SOURCES: ReadonlySet<RecordSource | null> = new Set(["listener", "bench", "system"]);

const isOfRoute = ({ endpoint, api }: RequestRecord): boolean =>
  OLLAMA_ROUTES.some((route) => route.path === endpoint && route.api === api);
