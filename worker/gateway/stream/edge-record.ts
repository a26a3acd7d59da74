/**
 * The record that the edge keeps: of a call whose agent cannot write it, or may not have got to.
 * Whoever is first wins.
 */
import { ERROR_CHARS_MAX } from "../../../protocol/limits.ts";
import { factsOf, type Open } from "../../../protocol/messages.ts";
import { cut, type RequestRecord, type Status, UNMEASURED } from "../../../protocol/records.ts";
import { aggregatorOf } from "../../aggregator/stub.ts";
import type { Bindings } from "../../env.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";

export type EdgeOutcome = {
  box: string | null;
  status: Status;
  httpStatus: number;
  failure: FailureReason | null;
};

/** @param call  `startedMs`: when it was accepted, unix ms */
export function edgeRecord(
  call: { id: string; open: Open; startedMs: number },
  { box, status, httpStatus, failure }: EdgeOutcome,
  nowMs: number,
): RequestRecord {
  const { open } = call;
  const told = failure === null ? null : wireErrorOf(failure);
  return {
    ...factsOf(call.id, open),
    ...UNMEASURED,
    box,
    status,
    http_status: httpStatus,
    failed_at: told?.failedAt ?? null,
    error_message: told === null ? null : cut(told.message, ERROR_CHARS_MAX),
    prompt: null,
    latency_ms: Math.max(0, nowMs - call.startedMs),
    resumed: 0,
  };
}

/**
 * The Aggregator may be restarted, or moved, just now; counted twice is counted once. What the
 * runtime grants an invocation after its caller left is half a minute.
 */
const INGEST_WAITS_MS = [0, 250, 1_000, 4_000, 8_000];

/**
 * Resolves when it is in the ledger; or when it cannot be, which is logged.
 * @param afterMs  begins so long from now
 */
export async function ingestSurely(
  env: Bindings,
  record: RequestRecord,
  afterMs: number,
): Promise<void> {
  if (afterMs > 0) await scheduler.wait(afterMs);
  let last: unknown;
  for (const waitMs of INGEST_WAITS_MS) {
    if (waitMs > 0) await scheduler.wait(waitMs);
    try {
      return void (await aggregatorOf(env).ingest([record]));
    } catch (error) {
      last = error;
    }
  }
  console.error(
    JSON.stringify({
      event: "record_lost",
      request_id: record.request_id,
      why: String(last).slice(0, 500),
    }),
  );
}
