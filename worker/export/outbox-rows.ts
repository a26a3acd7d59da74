/** The entries of the outbox that have a row in storage. */
import * as z from "zod";
import { ID_BYTES, idsOfBytes } from "../storage/uuid-bytes.ts";
import { type BatchEntry, OutboxEntry } from "./outbox-entries.ts";
import type { Kind } from "./rows.ts";

/** How many records an entry has, and where it is. */
export type SizedEntry = { seq: number; items: number };

/** Columns of an entry, and how they are parsed. */
export type EntryColumns<Entry> = { columns: string; shape: z.ZodType<Entry> };
export const WHOLE: EntryColumns<OutboxEntry> = {
  columns: "seq, kind, items, ids, at_ms, box",
  shape: OutboxEntry,
};
export const SIZED: EntryColumns<SizedEntry> = {
  columns: "seq, items",
  shape: z.object({ seq: z.number(), items: z.number() }),
};

const Span = z.object({ first: z.number().nullable(), last: z.number().nullable() });
const Items = z.object({ items: z.number() });
const Oldest = z.object({
  first_id: z.instanceof(ArrayBuffer).nullable(),
  at_ms: z.number().nullable(),
});

/** Entries that are read together. The largest have 80 KB, most have one record. */
const ENTRIES_PER_READ = 50;

export class OutboxRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Returns the positions of the first and the last entry; null without entries. */
  span(): { first: number | null; last: number | null } {
    return Span.parse(
      this.#sql.exec("SELECT min(seq) AS first, max(seq) AS last FROM outbox").one(),
    );
  }

  /** Returns how many records wait from a position on, without the first `offset` of its entry. */
  count(seq: number, offset: number): number {
    const sql =
      "SELECT coalesce(sum(CASE WHEN seq = ?1 THEN items - ?2 ELSE items END), 0) AS items FROM outbox WHERE seq >= ?1";
    return Items.parse(this.#sql.exec(sql, seq, offset).one()).items;
  }

  /**
   * Yields entries from a position on. Reads some at a time: a cursor that is not read to its end locks
   * the tables.
   */
  *from<Entry extends { seq: number }>(
    seq: number,
    { columns, shape }: EntryColumns<Entry>,
  ): Generator<Entry> {
    const sql = `SELECT ${columns} FROM outbox WHERE seq >= ? ORDER BY seq LIMIT ${ENTRIES_PER_READ}`;
    for (let from: number | null = seq; from !== null; ) {
      const rows: Entry[] = this.#sql
        .exec(sql, from)
        .toArray()
        .map((row) => shape.parse(row));
      yield* rows;
      from = rows.length < ENTRIES_PER_READ ? null : (rows.at(-1)?.seq ?? 0) + 1;
    }
  }

  /** @param ids  sorted */
  addRequests(seq: number, ids: ArrayBuffer): void {
    this.#sql.exec(
      "INSERT INTO outbox (seq, kind, items, ids) VALUES (?, 'requests', ?, ?)",
      seq,
      ids.byteLength / ID_BYTES,
      ids,
    );
  }

  addBatch(seq: number, { kind, items, at_ms, box }: BatchEntry): void {
    this.#sql.exec(
      "INSERT INTO outbox (seq, kind, items, at_ms, box) VALUES (?, ?, ?, ?, ?)",
      seq,
      kind,
      items,
      at_ms,
      box,
    );
  }

  deleteBefore(seq: number): void {
    this.#sql.exec("DELETE FROM outbox WHERE seq < ?", seq);
  }

  deleteAll(kind: Kind): void {
    this.#sql.exec("DELETE FROM outbox WHERE kind = ?", kind);
  }

  /** Returns the oldest request and the time of the oldest batch that they name. */
  oldest(): { requestId: string | null; atMs: number | null } {
    const sql = "SELECT min(substr(ids, 1, 16)) AS first_id, min(at_ms) AS at_ms FROM outbox";
    const { first_id, at_ms } = Oldest.parse(this.#sql.exec(sql).one());
    const [requestId = null] = first_id === null ? [] : idsOfBytes(new Uint8Array(first_id));
    return { requestId, atMs: at_ms };
  }
}
