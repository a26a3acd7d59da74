/** The rows of the ledger that the stored counters lack. */
import * as z from "zod";
import { RequestRecord } from "../../protocol/records.ts";

/** The fields of a record that are summed, those by which it counts, and when it finished. */
export const Finished = RequestRecord.pick({
  endpoint: true,
  source: true,
  status: true,
  latency_ms: true,
  resumed: true,
  ttft_ms: true,
  queue_ms: true,
  load_ms: true,
  prefill_ms: true,
  decode_ms: true,
  prompt_tokens: true,
  completion_tokens: true,
  energy_j: true,
  cost: true,
  co2_g: true,
  model: true,
  box: true,
  key_id: true,
}).extend({ finished_at_ms: z.number() });
export type Finished = z.infer<typeof Finished>;

const Uncounted = Finished.extend({
  stamp: z.number(),
  counted_as: z.literal([1, 2]),
});
type Uncounted = z.infer<typeof Uncounted>;

/**
 * Yields the rows that were counted in memory only, in any order.
 * @param countedTo  the stamp of the last batch in the stored counters
 * @param lateId     batches with older requests were stored at once
 */
export function* uncountedRows(
  sql: SqlStorage,
  countedTo: number,
  lateId: string,
): Generator<{
  record: Uncounted;
  finishedMs: number;
  stamp: number;
  countedAs: Uncounted["counted_as"];
}> {
  const rows = sql.exec(
    `SELECT ${Object.keys(Uncounted.shape).join(", ")} FROM ledger
     WHERE request_id >= ? AND stamp > ? AND counted_as > 0`,
    lateId,
    countedTo,
  );
  for (const row of rows) {
    const record = Uncounted.parse(row);
    const { finished_at_ms: finishedMs, stamp, counted_as: countedAs } = record;
    yield { record, finishedMs, stamp, countedAs };
  }
}
