/**
 * Finds the batch that a delivery sends next.
 *
 * A batch that is one whole entry of the outbox need not be stored before it is sent, since its id follows
 * from it. For this, an entry that may have been sent like that is sent like that again.
 */
import type { DeliveryState } from "./delivery-states.ts";
import type { Outbox, TakeLimits, Taken } from "./outbox.ts";
import type { Batch } from "./sink.ts";

const BATCH_ITEMS_MAX = 5_000;
/**
 * Neon accepts 10 MiB. With two stores, rows and their text stay well within an object's memory.
 */
const BATCH_BYTES_MAX = 8_000_000;

/**
 * `origin`: the batch was stored before; it is the entry at that position; or its id is new, and has to be
 * stored before it is sent.
 */
export type NextBatch = Batch & Taken & { origin: "stored" | "new" | { entry: number } };

/**
 * @param mayHaveSentFirst  the entry at the cursor may have been sent as a batch of its own
 * @returns null if no records wait
 */
export function nextBatch(
  outbox: Outbox,
  { cursor, batch, alone_before }: DeliveryState,
  mayHaveSentFirst: boolean,
  bytesOf: TakeLimits["bytesOf"],
): NextBatch | null {
  if (batch !== null) {
    const limits = { items: batch.items, bytes: Number.POSITIVE_INFINITY, bytesOf };
    const again = outbox.take(cursor, limits);
    if (again !== null) return { ...again, id: batch.id, origin: "stored" };
  }
  const entry = outbox.wholeEntry(cursor);
  if (entry !== null && entry.items <= BATCH_ITEMS_MAX) {
    const { seq, id, items } = entry;
    const isAlone = mayHaveSentFirst || seq < alone_before || outbox.count(cursor) === items;
    const taken = isAlone ? outbox.take(cursor, { items, bytes: BATCH_BYTES_MAX, bytesOf }) : null;
    if (taken?.items === items) return { ...taken, id, origin: { entry: seq } };
  }
  const limits = { items: BATCH_ITEMS_MAX, bytes: BATCH_BYTES_MAX, bytesOf };
  const taken = outbox.take(cursor, limits);
  if (taken === null || taken.items === 0) return null;
  return { ...taken, id: crypto.randomUUID(), origin: "new" };
}
