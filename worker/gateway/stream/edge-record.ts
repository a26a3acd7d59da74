/**
 * The record that the edge writes: for a call that its agent cannot record, or may not have
 * recorded. The first record of a request id wins. Only the record of a call whose agent was
 * restarted is completed by the edge's: see {@link Ledger.complete}.
 */
import { ERROR_CHARS_MAX } from "../../../protocol/limits.ts";
import { factsOf, type Open } from "../../../protocol/messages.ts";
import { type Move, movedFromOf } from "../../../protocol/moves.ts";
import { cut, type RequestRecord, type Status, UNMEASURED } from "../../../protocol/records.ts";
import type { RouteReason } from "../../../protocol/route.ts";
import { aggregatorOf } from "../../aggregator/stub.ts";
import type { Bindings } from "../../env.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";
import { acceptedSource } from "../../seal.ts";
import { surely } from "../surely.ts";

/**
 * `box`, `reason`: the box that had the call last, and why; null if none had it. `moves`: those that
 * had it before.
 */
export type EdgeOutcome = {
  box: string | null;
  reason: RouteReason | null;
  moves: readonly Move[];
  status: Status;
  httpStatus: number;
  failure: FailureReason | null;
};

/** @param call  `startedMs`: when the call was accepted, unix ms */
export function edgeRecord(
  call: { id: string; open: Open; startedMs: number; wantedReason?: RouteReason },
  { box, reason, moves, status, httpStatus, failure }: EdgeOutcome,
  nowMs: number,
): RequestRecord {
  const { open } = call;
  const error = failure === null ? null : wireErrorOf(failure);
  return {
    ...factsOf(call.id, open),
    ...UNMEASURED,
    box,
    route_reason: reason,
    attempts: box === null ? null : moves.length + 1,
    moved_from: movedFromOf(moves),
    status,
    http_status: httpStatus,
    failed_at: error?.failedAt ?? null,
    error_message: error === null ? null : cut(error.message, ERROR_CHARS_MAX),
    prompt: null,
    latency_ms: Math.max(0, nowMs - call.startedMs),
    resumed: 0,
    source: acceptedSource(reason ?? call.wantedReason ?? null),
  };
}

/**
 * Resolves when the record is in the ledger, or after the last attempt failed, which is logged.
 * @param afterMs    waits this long before the first attempt
 * @param completes  the record completes that of an agent which was restarted, if there is one
 */
export async function ingestSurely(
  env: Bindings,
  record: RequestRecord,
  afterMs: number,
  completes: boolean,
): Promise<void> {
  if (afterMs > 0) await scheduler.wait(afterMs);
  await surely("record_lost", record.request_id, () => {
    const aggregator = aggregatorOf(env);
    return completes ? aggregator.complete(record) : aggregator.ingest([record]);
  });
}
