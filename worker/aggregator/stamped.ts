/** The batches of the ledger, by the stamps of its records. Pure. */
import * as z from "zod";
import type { StoredRow } from "./ledger-page.ts";

/** The requests of a batch, sorted. */
export type StampedBatch = { stamp: number; ids: string[] };

const Row = z.object({ stamp: z.number(), request_id: z.string() });

/** Returns the batches after a stamp, oldest first. */
export function stampedBatches(rows: readonly StoredRow[], after: number): StampedBatch[] {
  const newer = rows.map((row) => Row.parse(row)).filter(({ stamp }) => stamp > after);
  return [...Map.groupBy(newer, ({ stamp }) => stamp)]
    .sort(([a], [b]) => a - b)
    .map(([stamp, ofBatch]) => ({ stamp, ids: ofBatch.map(({ request_id: id }) => id).sort() }));
}
