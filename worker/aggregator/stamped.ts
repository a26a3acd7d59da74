/** The batches of the ledger, by the stamps of its rows. */
import * as z from "zod";
import { lateIdOf } from "../storage/stamp.ts";

/** The requests of a batch, sorted. */
export type StampedBatch = { stamp: number; ids: string[] };

const Row = z.object({ stamp: z.number(), request_id: z.string() });
const Newest = z.object({ stamp: z.number().nullable() });

/** Returns the batches after a stamp, oldest first, without requests before {@link lateIdOf} it. */
export function stampedBatches(sql: SqlStorage, after: number): StampedBatch[] {
  const rows = sql.exec(
    `SELECT stamp, request_id FROM ledger WHERE request_id >= ? AND stamp > ?
     ORDER BY stamp, request_id`,
    lateIdOf(after),
    after,
  );
  const batches: StampedBatch[] = [];
  for (const row of rows) {
    const { stamp, request_id } = Row.parse(row);
    const last = batches.at(-1);
    if (last?.stamp === stamp) last.ids.push(request_id);
    else batches.push({ stamp, ids: [request_id] });
  }
  return batches;
}

export const newestStamp = (sql: SqlStorage): number =>
  Newest.parse(sql.exec("SELECT max(stamp) AS stamp FROM ledger").one()).stamp ?? 0;
