/**
 * The tail of the outbox: batches of requests that need no entry in storage, since the rows of the ledger
 * carry the stamps of their batches. A row write is billed.
 *
 * Storage has one number: the last stamp that is not in the tail. A start finds the batches after it in the
 * ledger. The position of an entry is its stamp, so it is the same after each start.
 */
import { deleteMeta, readMeta, writeMeta } from "../storage/meta.ts";
import { lateIdOf, STAMPS_PER_MS } from "../storage/stamp.ts";
import { bytesOfIds, ID_BYTES, idsOfBytes } from "../storage/uuid-bytes.ts";

export type TailEntry = { seq: number; kind: "requests"; items: number; ids: ArrayBuffer };

/** The part of the ledger that the tail reads. */
export type TailLedger = {
  batchesAfter(stamp: number): { stamp: number; ids: string[] }[];
  newestStamp(): number;
};

const BEFORE_TAIL = "outbox_before_tail";

/** Entries in the tail, and their age. They bound the work of a start. */
export const TAIL_ENTRIES_MAX = 400;
export const TAIL_MS = 3_600_000;

export class OutboxTail {
  readonly #sql: SqlStorage;
  readonly #ledger: TailLedger;
  /** Null while there is no external store. */
  #beforeStamp: number | null = null;
  #entries: TailEntry[] = [];

  constructor(sql: SqlStorage, ledger: TailLedger) {
    this.#sql = sql;
    this.#ledger = ledger;
    this.read();
  }

  /** Reads the tail again, after a transaction that was rolled back. */
  read(): void {
    this.#beforeStamp = readMeta(this.#sql, BEFORE_TAIL);
    const stamp = this.#beforeStamp;
    this.#entries = stamp === null ? [] : this.#ledger.batchesAfter(stamp).map(entryOf);
  }

  /** Begins with the next batch, unless there is a tail. */
  open(): void {
    if (this.#beforeStamp === null) this.#cut(this.#ledger.newestStamp());
  }

  close(): void {
    this.#beforeStamp = null;
    this.#entries = [];
    deleteMeta(this.#sql, BEFORE_TAIL);
  }

  /** Returns the position before all its entries; null if it is closed. */
  get start(): number | null {
    return this.#beforeStamp;
  }

  /** Returns the position of the newest entry, or of the end; 0 if it is closed. */
  get newest(): number {
    return this.#entries.at(-1)?.seq ?? this.#beforeStamp ?? 0;
  }

  /** Returns the entries from a position on. */
  from(seq: number): TailEntry[] {
    return this.#entries.filter((entry) => entry.seq >= seq);
  }

  has(seq: number): boolean {
    return this.#entries.some((entry) => entry.seq === seq);
  }

  /** Returns the oldest request in the tail, delivered or not. */
  oldestId(): string | null {
    const ids = this.#entries.flatMap((entry) => idsOfBytes(idAt(entry, 0)));
    return ids.sort()[0] ?? null;
  }

  /** Returns whether a start would find a batch, and the tail has room. @param ids  sorted */
  canTake(stamp: number, ids: readonly string[]): boolean {
    if (this.#beforeStamp === null || (ids[0] ?? "") < lateIdOf(this.#beforeStamp)) return false;
    const oldest = this.#entries[0]?.seq ?? stamp;
    return this.#entries.length < TAIL_ENTRIES_MAX && stamp - oldest < TAIL_MS * STAMPS_PER_MS;
  }

  /** Adds a batch, which {@link canTake} allowed. */
  add(stamp: number, ids: readonly string[]): void {
    this.#entries.push(entryOf({ stamp, ids }));
  }

  /** Forgets the entries before a position: all stores have them. */
  forgetBefore(seq: number): void {
    const last = this.#entries.findLast((entry) => entry.seq < seq);
    if (last !== undefined) this.#cut(last.seq);
  }

  /** Forgets all entries up to a stamp. */
  forgetTo(stamp: number): void {
    this.#cut(Math.max(stamp, this.newest));
  }

  /** Forgets all entries, whose rows are deleted. */
  clear(): void {
    this.#entries = [];
  }

  #cut(stamp: number): void {
    this.#beforeStamp = stamp;
    this.#entries = this.#entries.filter(({ seq }) => seq > stamp);
    writeMeta(this.#sql, BEFORE_TAIL, stamp);
  }
}

const entryOf = ({ stamp, ids }: { stamp: number; ids: readonly string[] }): TailEntry => ({
  seq: stamp,
  kind: "requests",
  items: ids.length,
  ids: bytesOfIds(ids).buffer,
});

const idAt = ({ ids }: TailEntry, index: number): Uint8Array =>
  new Uint8Array(ids, index * ID_BYTES, ID_BYTES);
