/** Which rows of the ledger a query selects. Pure. */

import type { LogsPage } from "../../protocol/api/logs.ts";
import { type CallKind, callKindOf } from "../../protocol/call-kind.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { spellingsOf } from "../counting/model-key.ts";

/** The columns by which requests are selected, counted and sorted. */
export const INDEXED_COLUMNS = [
  "request_id",
  "model",
  "status",
  "box",
  "key_id",
  "end_user",
  "session_id",
  "endpoint",
  "latency_ms",
  "ttft_ms",
  "completion_tokens",
  "decode_ms",
  "energy_j",
] as const satisfies (keyof RequestRecord)[];
export type IndexedRow = Pick<RequestRecord, (typeof INDEXED_COLUMNS)[number]>;

/**
 * A row in memory. Figures are whole numbers, which take no object of their own; their unit only has to
 * keep the order.
 */
export type RowEntry = Pick<
  IndexedRow,
  "request_id" | "model" | "status" | "box" | "key_id" | "end_user" | "session_id"
> & {
  kind: CallKind | null;
  /** µs, like ttft: a list shows hundredths of a millisecond. */
  latency: number;
  ttft: number | null;
  tokens: number | null;
  /** Completion tokens in 1,000 s of decoding. */
  rate: number | null;
  /** mJ. */
  energy: number | null;
  /** Rises with each row that is added. */
  arrival: number;
};

/**
 * Picks what the index needs. The record may have more, such as its texts, which must not stay in
 * memory.
 */
export const entryOf = (row: IndexedRow, arrival: number): RowEntry => ({
  request_id: row.request_id,
  model: row.model,
  status: row.status,
  box: row.box,
  key_id: row.key_id,
  end_user: row.end_user,
  session_id: row.session_id,
  kind: callKindOf(row.endpoint),
  latency: Math.round(row.latency_ms * 1_000),
  ttft: wholeOf(row.ttft_ms, 1_000),
  tokens: row.completion_tokens,
  rate: row.decode_ms ? wholeOf(row.completion_tokens, 1_000_000 / row.decode_ms) : null,
  energy: wholeOf(row.energy_j, 1_000),
  arrival,
});

const wholeOf = (figure: number | null, factor: number): number | null =>
  figure === null ? null : Math.round(figure * factor);

export type RowFilter = Pick<
  LogsPage,
  "model" | "status" | "kind" | "box" | "id" | "key" | "user" | "session"
> & {
  since?: string | undefined;
  until?: string | undefined;
};

type Test = (row: RowEntry) => boolean;

/** Returns whether a row matches; null if all do. */
export function matcher(filter: RowFilter): Test | null {
  const { id, user, session } = filter;
  const tests: Test[] = Object.values(facetTests(filter));
  if (user !== undefined) tests.push((row) => row.end_user === user);
  if (session !== undefined) tests.push((row) => row.session_id === session);
  if (id !== undefined) tests.push((row) => row.request_id === id);
  return tests.length === 0 ? null : (row) => tests.every((test) => test(row));
}

/** Returns a test for each facet that the filter narrows. */
export function facetTests({
  model,
  status,
  kind,
  box,
  key,
}: Pick<RowFilter, "model" | "status" | "kind" | "box" | "key">): Partial<
  Record<"model" | "status" | "kind" | "box" | "key", Test>
> {
  const models = model === undefined ? null : new Set<string | null>(spellingsOf(model));
  return {
    ...(models && { model: (row) => models.has(row.model) }),
    ...(status !== undefined && { status: (row) => row.status === status }),
    ...(kind !== undefined && { kind: (row) => row.kind === kind }),
    ...(box !== undefined && { box: (row) => row.box === box }),
    ...(key !== undefined && { key: (row) => row.key_id === key }),
  };
}
