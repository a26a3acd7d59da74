/** The figures of finished calls from which hidden damage shows. Pure. */
import type * as z from "zod";
import { withTag } from "../../../protocol/inventory.ts";
import { LOAD_MS_MIN } from "../../../protocol/load-wait.ts";
import { RequestRecord } from "../../../protocol/records.ts";

/** The fields of a record that are read. None of them is a text of a caller. */
export const CallFields = RequestRecord.pick({
  box: true,
  model: true,
  status: true,
  source: true,
  started_at: true,
  latency_ms: true,
  edge_ms: true,
  load_ms: true,
  prefill_ms: true,
  decode_ms: true,
  prompt_tokens: true,
  completion_tokens: true,
  energy_j: true,
  key_id: true,
  key_name: true,
  prompt_chars: true,
  context_length: true,
  prompt_truncated: true,
});
export type CallFields = z.infer<typeof CallFields>;

export type FinishedCall = Omit<CallFields, "box" | "model" | "started_at"> & {
  box: string;
  /** With its tag. */
  model: string;
  startMs: number;
  endMs: number;
};

/** Returns null for a call that no model on a box answered, or that the software itself made. */
export function finishedCallOf({
  box,
  model,
  started_at,
  ...rest
}: CallFields): FinishedCall | null {
  if (box === null || model === null || rest.status !== "success") return null;
  if (rest.source === "bench" || rest.source === "system") return null;
  const startMs = Date.parse(started_at);
  return { ...rest, box, model: withTag(model), startMs, endMs: startMs + rest.latency_ms };
}

export const isLoad = ({ load_ms }: FinishedCall): boolean => (load_ms ?? 0) > LOAD_MS_MIN;

/** The key of a call as people know it; null without one. */
export const keyOf = ({ key_name, key_id }: FinishedCall): string | null => key_name ?? key_id;

/** Returns the most frequent of some values; null without any, or if most are null. */
export function mostFrequent(values: readonly (string | null)[]): string | null {
  const groups = [...Map.groupBy(values, (value) => value)];
  return groups.sort(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? null;
}

export const placeOf = ({ box, model }: Pick<FinishedCall, "box" | "model">): string =>
  JSON.stringify([box, model]);
