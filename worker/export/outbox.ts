/**
 * The outbox: the records waiting for the external stores, in order of arrival.
 *
 * An entry names records in the ledger or the samples and does not copy them: row writes are
 * billed. Each batch that arrives makes one entry, in the transaction that stores it: a row, or one in
 * the {@link OutboxTail} if a start would find it in the ledger. Each delivery has its own cursor into the
 * outbox.
 */
import * as z from "zod";
import { bytesOfIds, ID_BYTES, idsOfBytes } from "../storage/uuid-bytes.ts";
import {
  energyEntries,
  entriesOf,
  entryOfAudit,
  type NewEntry,
  nameOf,
  type OutboxSources,
  rowsOfEntry,
  type SampleBatch,
} from "./outbox-entries.ts";
import { type EntryColumns, OutboxRows, SIZED, WHOLE } from "./outbox-rows.ts";
import { OutboxTail, type TailEntry } from "./outbox-tail.ts";
import type { AnyRow, EnergyBatch, Kind, Rows } from "./rows.ts";

/**
 * The position of the first undelivered record: an entry, and how many of its records were
 * delivered.
 */
export const Cursor = z.object({ seq: z.int(), offset: z.int() });
export type Cursor = z.infer<typeof Cursor>;

/** `items` is the number of records read. A record whose row is gone makes no row. */
export type Taken = Rows & { items: number; next: Cursor };
/** Requests that came together; their batch has the id of the first one. */
export type WholeEntry = { seq: number; items: number; id: string };
export type TakeLimits = { items: number; bytes: number; bytesOf: (row: AnyRow) => number };

const HeldRow = z.object({ request_id: z.string() });
export class Outbox {
  readonly #sql: SqlStorage;
  readonly #sources: OutboxSources;
  readonly #rows: OutboxRows;
  readonly #tail: OutboxTail;
  #isOpen = false;
  #nextSeq: number;
  /** All stores have what comes before this position. */
  #passed = Number.MIN_SAFE_INTEGER;
  #beforeMove: () => void = () => {};

  constructor(sql: SqlStorage, sources: OutboxSources) {
    this.#sql = sql;
    this.#sources = sources;
    this.#rows = new OutboxRows(sql);
    this.#tail = new OutboxTail(sql, sources.ledger);
    this.#nextSeq = Math.max(this.#rows.span().last ?? 0, this.#tail.newest) + 1;
  }

  /**
   * Accepts entries from now on. Without an external store the outbox stays closed.
   * @param seq         the position of the furthest delivery; new entries never come before it
   * @param beforeMove  stores the cursors, in the transaction that makes rows of undelivered entries
   */
  open(seq: number, beforeMove: () => void): void {
    this.#isOpen = true;
    this.#beforeMove = beforeMove;
    this.#tail.open();
    this.#nextSeq = Math.max(this.#nextSeq, seq);
  }

  /** Forgets all entries: no store is configured any more. */
  close(): void {
    this.deleteBefore(this.end());
    this.#tail.close();
  }

  /** A transaction that may have added entries was rolled back. */
  rolledBack(): void {
    this.#tail.read();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Returns the position of the next entry. */
  end(): Cursor {
    return { seq: this.#nextSeq, offset: 0 };
  }

  /**
   * Adds the requests of a batch, in the transaction that writes their ledger rows.
   * @param isWhole  these are all rows with that stamp
   */
  addBatch(ids: readonly string[], stamp: number, isWhole: boolean): void {
    if (!this.#isOpen || (ids.length === 0 && isWhole)) return;
    const sorted = [...ids].sort();
    const isFound = isWhole && stamp >= this.#nextSeq;
    if (!isFound || !this.#tail.canTake(stamp, sorted)) {
      this.#beforeMove();
      this.forgetPassed();
    }
    if (isFound && this.#tail.canTake(stamp, sorted)) {
      this.#tail.add(stamp, sorted);
      this.#nextSeq = stamp + 1;
      return;
    }
    for (const { seq, ids: bytes } of this.#tail.from(this.#passed))
      this.#rows.addRequests(seq, bytes);
    this.#tail.forgetTo(stamp);
    this.addRequests(sorted);
  }

  /** Adds requests whose rows came in an earlier batch. */
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

  /** Adds an entry of the audit log, in the transaction that stores it. */
  addAudit(atMs: number): void {
    if (this.#isOpen) this.#insert(this.#nextSeq++, entryOfAudit(atMs));
  }

  /**
   * Adds entries for all stored records that no entry names, oldest first.
   *
   * They come before all existing entries, so only a delivery whose cursor is set there gets them.
   * @param before  the position of the first delivery that must not get them
   * @returns that cursor
   */
  addEarlier(before: number): Cursor {
    const { first } = this.#rows.span();
    const end = Math.min(before, first ?? this.#nextSeq, (this.#tail.start ?? this.#nextSeq) + 1);
    if (this.count({ seq: this.#passed, offset: 0 }) > EARLIER_WAITING_MAX)
      return { seq: end, offset: 0 };
    const held = this.#sql.exec("SELECT request_id FROM held_requests").toArray();
    const named = new Set<string>(held.map((row) => HeldRow.parse(row).request_id));
    for (const entry of this.#inOrder(end, WHOLE))
      for (const name of entry.kind === "requests"
        ? idsOfBytes(new Uint8Array(entry.ids))
        : [nameOf(entry)])
        named.add(name);
    const ids = this.#sources.ledger.ids().filter((id) => !named.has(id));
    const entries: NewEntry[] = [];
    for (let at = 0; at < ids.length; at += EARLIER_IDS)
      entries.push({ kind: "requests", ids: ids.slice(at, at + EARLIER_IDS) });
    for (const batch of this.#sources.samples.counts())
      entries.push(...entriesOf(batch).filter((entry) => !named.has(nameOf(entry))));
    for (const batch of this.#sources.energy.batches())
      entries.push(...energyEntries(batch).filter((entry) => !named.has(nameOf(entry))));
    for (const atMs of this.#sources.audit.times())
      if (!named.has(nameOf(entryOfAudit(atMs)))) entries.push(entryOfAudit(atMs));
    const seq = end - entries.length;
    for (const [index, entry] of entries.entries()) this.#insert(seq + index, entry);
    return { seq, offset: 0 };
  }

  /** Returns how many records wait from a cursor on. */
  count({ seq, offset }: Cursor): number {
    const items = this.#rows.count(seq, offset);
    return this.#tail
      .from(seq)
      .reduce((sum, entry) => sum + entry.items - (entry.seq === seq ? offset : 0), items);
  }

  /**
   * Reads rows of one kind from a cursor on, as many as the limits allow and at least one record.
   * @returns the same rows for the same cursor and number of records; null if none wait
   */
  take(from: Cursor, { items, bytes, bytesOf }: TakeLimits): Taken | null {
    let first: Taken | null = null;
    let sum = 0;
    for (const entry of this.#inOrder(from.seq, WHOLE)) {
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

  /** Returns the first entry from a cursor on, if its requests are all undelivered; null otherwise. */
  wholeEntry(from: Cursor): WholeEntry | null {
    const [entry] = this.#inOrder(from.seq, WHOLE);
    if (entry?.kind !== "requests" || (entry.seq === from.seq && from.offset > 0)) return null;
    const [id] = idsOfBytes(new Uint8Array(entry.ids).subarray(0, ID_BYTES));
    const items = entry.ids.byteLength / ID_BYTES;
    return id === undefined ? null : { seq: entry.seq, items, id };
  }

  /** Returns whether that entry is in the tail: it takes no row. */
  isInTail(seq: number): boolean {
    return this.#tail.has(seq);
  }

  /** Returns the position behind the tail; null if no entry from a cursor on is in it. */
  tailEnd({ seq }: Cursor): number | null {
    return this.#tail.from(seq).length === 0 ? null : this.#tail.newest + 1;
  }

  /** Deletes the entries before a cursor. {@link forgetPassed} deletes those of the tail. */
  deleteBefore({ seq }: Cursor): void {
    this.#passed = seq;
    this.#rows.deleteBefore(seq);
  }

  /** Forgets the entries of the tail that all stores have, whose cursors are stored. */
  forgetPassed(): void {
    this.#tail.forgetBefore(this.#passed);
  }

  deleteAll(kind: Kind): void {
    this.#rows.deleteAll(kind);
    if (kind === "requests") this.#tail.clear();
  }

  /** Returns the cursor behind the oldest `items` records, rounded up to a whole entry. */
  behind(items: number): Cursor {
    let sum = 0;
    for (const { seq, items: ofEntry } of this.#inOrder(this.#passed, SIZED)) {
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
    const { requestId, atMs } = this.#rows.oldest();
    const ids = [requestId, this.#tail.oldestId()].filter((id) => id !== null);
    return { requestId: ids.sort()[0] ?? null, samplesMs: atMs };
  }

  /** Yields the entries from a position on, those of the tail among them. */
  *#inOrder<Entry extends { seq: number }>(
    seq: number,
    columns: EntryColumns<Entry>,
  ): Generator<Entry | TailEntry> {
    const tail = this.#tail.from(seq);
    for (const entry of this.#rows.from(seq, columns)) {
      while (tail[0] !== undefined && tail[0].seq < entry.seq) yield tail.shift() as TailEntry;
      yield entry;
    }
    yield* tail;
  }

  #insert(seq: number, entry: NewEntry): void {
    if (entry.kind !== "requests") this.#rows.addBatch(seq, entry);
    else this.#rows.addRequests(seq, bytesOfIds(entry.ids).buffer);
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
  if (taken.kind === "requests" && "latency_ms" in row) taken.rows.push(row);
  else if (taken.kind === "gpu_samples" && "index" in row) taken.rows.push(row);
  else if (taken.kind === "system_samples" && "cpu_percent" in row) taken.rows.push(row);
  else if (taken.kind === "energy_hours" && "state" in row) taken.rows.push(row);
  else if (taken.kind === "audit_log" && "action" in row) taken.rows.push(row);
}
