/**
 * The outbox: the records waiting for the external stores, in order of arrival.
 *
 * An entry names records in the ledger or the samples and does not copy them: row writes are
 * billed.
 * Each batch that arrives makes one entry, in the transaction that stores it. Each delivery has its
 * own cursor into the outbox.
 */
import * as z from "zod";
import { bytesOfIds, ID_BYTES, idsOfBytes } from "../storage/uuid-bytes.ts";
import {
  energyEntries,
  entriesOf,
  type NewEntry,
  nameOf,
  OutboxEntry,
  type OutboxSources,
  rowsOfEntry,
  type SampleBatch,
} from "./outbox-entries.ts";
import type { AnyRow, EnergyBatch, Kind, Rows } from "./rows.ts";

/**
 * The position of the first undelivered record: an entry, and how many of its records were
 * delivered.
 */
export const Cursor = z.object({ seq: z.int(), offset: z.int() });
export type Cursor = z.infer<typeof Cursor>;

/** `items` is the number of records read. A record whose row is gone makes no row. */
export type Taken = Rows & { items: number; next: Cursor };
export type TakeLimits = { items: number; bytes: number; bytesOf: (row: AnyRow) => number };

const Newest = z.object({ seq: z.number().nullable() });
const Waiting = z.object({ first: z.number().nullable(), items: z.number() });
const Items = z.object({ items: z.number() });
const Position = z.object({ seq: z.number() });
/** Entries that are read together. The largest have 80 KB, most have one record. */
const ENTRIES_PER_READ = 50;
const HeldRow = z.object({ request_id: z.string() });
const Held = z.object({
  first_id: z.instanceof(ArrayBuffer).nullable(),
  at_ms: z.number().nullable(),
});

export class Outbox {
  readonly #sql: SqlStorage;
  readonly #sources: OutboxSources;
  #isOpen = false;
  #nextSeq: number;

  constructor(sql: SqlStorage, sources: OutboxSources) {
    this.#sql = sql;
    this.#sources = sources;
    this.#nextSeq =
      (Newest.parse(sql.exec("SELECT max(seq) AS seq FROM outbox").one()).seq ?? 0) + 1;
  }

  /**
   * Accepts entries from now on. Without an external store the outbox stays closed.
   * @param seq  the position of the furthest delivery; new entries never come before it
   */
  open(seq: number): void {
    this.#isOpen = true;
    this.#nextSeq = Math.max(this.#nextSeq, seq);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Returns the position of the next entry. */
  end(): Cursor {
    return { seq: this.#nextSeq, offset: 0 };
  }

  /** Adds requests, in the transaction that writes their ledger rows. */
  addRequests(ids: readonly string[]): void {
    if (this.#isOpen && ids.length > 0)
      this.#insert(this.#nextSeq++, { kind: "requests", ids: [...ids].sort() });
  }

  /** Adds samples, in the transaction that stores the batch. */
  addSamples(atMs: number, { box, gpu, system }: SampleBatch): void {
    if (!this.#isOpen) return;
    for (const entry of entriesOf({ at_ms: atMs, box, gpu: gpu.length, system: system.length }))
      this.#insert(this.#nextSeq++, entry);
  }

  /** Adds hours of energy, in the transaction that stores them. */
  addEnergy(batch: EnergyBatch): void {
    if (!this.#isOpen) return;
    for (const entry of energyEntries(batch)) this.#insert(this.#nextSeq++, entry);
  }

  /**
   * Adds entries for all stored records that no entry names, oldest first.
   *
   * They come before all existing entries, so only a delivery whose cursor is set there gets them.
   * @returns that cursor
   */
  addEarlier(): Cursor {
    const { first, items } = Waiting.parse(
      this.#sql
        .exec("SELECT min(seq) AS first, coalesce(sum(items), 0) AS items FROM outbox")
        .one(),
    );
    const end = first ?? this.#nextSeq;
    if (items > EARLIER_WAITING_MAX) return { seq: end, offset: 0 };
    const held = this.#sql.exec("SELECT request_id FROM held_requests").toArray();
    const named = new Set<string>(held.map((row) => HeldRow.parse(row).request_id));
    for (const row of this.#sql.exec("SELECT seq, kind, items, ids, at_ms, box FROM outbox")) {
      const entry = OutboxEntry.parse(row);
      for (const name of entry.kind === "requests"
        ? idsOfBytes(new Uint8Array(entry.ids))
        : [nameOf(entry)])
        named.add(name);
    }
    const ids = this.#sources.ledger.ids().filter((id) => !named.has(id));
    const entries: NewEntry[] = [];
    for (let at = 0; at < ids.length; at += EARLIER_IDS)
      entries.push({ kind: "requests", ids: ids.slice(at, at + EARLIER_IDS) });
    for (const batch of this.#sources.samples.counts())
      entries.push(...entriesOf(batch).filter((entry) => !named.has(nameOf(entry))));
    for (const batch of this.#sources.energy.batches())
      entries.push(...energyEntries(batch).filter((entry) => !named.has(nameOf(entry))));
    const seq = end - entries.length;
    for (const [index, entry] of entries.entries()) this.#insert(seq + index, entry);
    return { seq, offset: 0 };
  }

  /** Returns how many records wait from a cursor on. */
  count({ seq, offset }: Cursor): number {
    const sql =
      "SELECT coalesce(sum(CASE WHEN seq = ?1 THEN items - ?2 ELSE items END), 0) AS items FROM outbox WHERE seq >= ?1";
    return Items.parse(this.#sql.exec(sql, seq, offset).one()).items;
  }

  /**
   * Reads rows of one kind from a cursor on, as many as the limits allow and at least one record.
   * @returns the same rows for the same cursor and number of records; null if none wait
   */
  take(from: Cursor, { items, bytes, bytesOf }: TakeLimits): Taken | null {
    let first: Taken | null = null;
    let sum = 0;
    for (const found of this.#inOrder("seq, kind, items, ids, at_ms, box", from.seq)) {
      const entry = OutboxEntry.parse(found);
      const taken: Taken = first ?? { kind: entry.kind, rows: [], items: 0, next: from };
      first = taken;
      if (entry.kind !== taken.kind) break;
      // The entry at the cursor may have been cleared; the next entry is then read from its start.
      let offset = entry.seq === from.seq ? from.offset : 0;
      for (const row of rowsOfEntry(entry, offset, this.#sources)) {
        if (taken.items === items) return taken;
        sum += row === null ? 0 : bytesOf(row);
        if (taken.items > 0 && sum > bytes) return taken;
        offset++;
        push(taken, row);
        taken.items++;
        taken.next = { seq: entry.seq, offset };
      }
      taken.next = { seq: entry.seq + 1, offset: 0 };
    }
    return first;
  }

  /**
   * Returns the first entry from a cursor on, if its requests are all undelivered: how many they are, and
   * the first of them; null otherwise.
   */
  wholeEntry(from: Cursor): { items: number; id: string } | null {
    const sql =
      "SELECT seq, kind, items, ids, at_ms, box FROM outbox WHERE seq >= ? ORDER BY seq LIMIT 1";
    const [row] = this.#sql.exec(sql, from.seq).toArray();
    const entry = row === undefined ? null : OutboxEntry.parse(row);
    if (entry?.kind !== "requests" || (entry.seq === from.seq && from.offset > 0)) return null;
    const [id] = idsOfBytes(new Uint8Array(entry.ids).subarray(0, ID_BYTES));
    return id === undefined ? null : { items: entry.ids.byteLength / ID_BYTES, id };
  }

  /** Deletes the entries before a cursor. */
  deleteBefore({ seq }: Cursor): void {
    this.#sql.exec("DELETE FROM outbox WHERE seq < ?", seq);
  }

  deleteAll(kind: Kind): void {
    this.#sql.exec("DELETE FROM outbox WHERE kind = ?", kind);
  }

  /** Returns the cursor behind the oldest `items` records, rounded up to a whole entry. */
  behind(items: number): Cursor {
    let sum = 0;
    for (const row of this.#inOrder("seq, items", Number.MIN_SAFE_INTEGER)) {
      const { seq, items: ofEntry } = Items.extend({ seq: z.number() }).parse(row);
      if (sum >= items) return { seq, offset: 0 };
      sum += ofEntry;
    }
    return this.end();
  }

  /**
   * Returns the oldest request id and the oldest batch of samples that are still needed; null if
   * none is.
   */
  held(): { requestId: string | null; samplesMs: number | null } {
    const row = this.#sql
      .exec("SELECT min(substr(ids, 1, 16)) AS first_id, min(at_ms) AS at_ms FROM outbox")
      .one();
    const { first_id, at_ms } = Held.parse(row);
    return {
      requestId: first_id === null ? null : (idsOfBytes(new Uint8Array(first_id))[0] ?? null),
      samplesMs: at_ms,
    };
  }

  /**
   * Yields entries from a position on. Reads some at a time: a cursor that is not read to its end locks
   * the tables.
   */
  *#inOrder(columns: string, seq: number): Generator<unknown> {
    const sql = `SELECT ${columns} FROM outbox WHERE seq >= ? ORDER BY seq LIMIT ${ENTRIES_PER_READ}`;
    for (let from: number | null = seq; from !== null; ) {
      const entries: unknown[] = this.#sql.exec(sql, from).toArray();
      yield* entries;
      const last: unknown = entries.length < ENTRIES_PER_READ ? undefined : entries.at(-1);
      from = last === undefined ? null : Position.parse(last).seq + 1;
    }
  }

  #insert(seq: number, entry: NewEntry): void {
    if (entry.kind === "requests") {
      const { buffer } = bytesOfIds(entry.ids);
      this.#sql.exec(
        "INSERT INTO outbox (seq, kind, items, ids) VALUES (?, 'requests', ?, ?)",
        seq,
        entry.ids.length,
        buffer,
      );
    } else {
      const { kind, items, at_ms, box } = entry;
      this.#sql.exec(
        "INSERT INTO outbox (seq, kind, items, at_ms, box) VALUES (?, ?, ?, ?, ?)",
        seq,
        kind,
        items,
        at_ms,
        box,
      );
    }
  }
}

/** Ids in one entry of {@link Outbox.addEarlier}: 80 KB, one row write. */
const EARLIER_IDS = 5_000;
/**
 * Above this many waiting records, a new store starts with these and gets no earlier ones.
 *
 * Finding the earlier ones would take too much memory.
 */
const EARLIER_WAITING_MAX = 100_000;

/** Adds a row to rows of its kind. */
function push(taken: Rows, row: AnyRow | null): void {
  if (row === null) return;
  if (taken.kind === "requests" && "request_id" in row) taken.rows.push(row);
  else if (taken.kind === "gpu_samples" && "index" in row) taken.rows.push(row);
  else if (taken.kind === "system_samples" && "cpu_percent" in row) taken.rows.push(row);
  else if (taken.kind === "energy_hours" && "state" in row) taken.rows.push(row);
}
