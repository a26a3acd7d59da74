/** The figures of finished calls from which the times of a period are explained. Pure. */
import * as z from "zod";
import { withTag } from "../../../protocol/inventory.ts";
import { type FailedAt, RequestRecord } from "../../../protocol/records.ts";
import { CallFields, type FinishedCall, finishedCallOf } from "../damage/calls.ts";

const More = RequestRecord.pick({
  tunnel_ms: true,
  queue_ms: true,
  prefill_ms: true,
  prompt_tokens: true,
  moved_from: true,
  resumed: true,
  failed_at: true,
});
/** The fields of a record that are read. None of them is a text of a caller. */
export const PeriodFields = z.object({ ...CallFields.shape, ...More.shape });
export type PeriodFields = z.infer<typeof PeriodFields>;

type Added = Omit<z.infer<typeof More>, "failed_at">;
/** A call that a model answered. */
export type PeriodCall = FinishedCall & Added;

/** A call that failed. */
export type FailedCall = {
  box: string | null;
  /** With its tag; null if it named none. */
  model: string | null;
  key_id: string | null;
  failedAt: FailedAt;
  startMs: number;
};

/** Returns null for a call that no model on a box answered, or that the software itself made. */
export function periodCallOf(fields: PeriodFields): PeriodCall | null {
  const call = finishedCallOf(fields);
  if (call === null) return null;
  const { tunnel_ms, queue_ms, prefill_ms, prompt_tokens, moved_from, resumed } = fields;
  return { ...call, tunnel_ms, queue_ms, prefill_ms, prompt_tokens, moved_from, resumed };
}

/** Returns null for a call that did not fail. */
export function failedCallOf(fields: PeriodFields): FailedCall | null {
  const { box, model, key_id, status, failed_at, started_at } = fields;
  if (status !== "error") return null;
  return {
    ...{ box, key_id, model: model === null ? null : withTag(model) },
    failedAt: failed_at ?? "gateway",
    startMs: Date.parse(started_at),
  };
}

/** The calls that an explanation is about; the others still show what else their boxes did. */
export type CallFilter = {
  model?: string | undefined;
  box?: string | undefined;
  key?: string | undefined;
};

export const isAbout =
  ({ model, box, key }: CallFilter) =>
  (call: Pick<FailedCall, "box" | "model" | "key_id">): boolean =>
    (model === undefined || call.model === withTag(model)) &&
    (box === undefined || call.box === box) &&
    (key === undefined || call.key_id === key);
