/**
 * Erasure: leaves nothing of a deleted text in the files of the database.
 *
 * A deleted row stays in free pages and in the write-ahead log until both are reused, and the
 * platform allows neither `secure_delete` nor `VACUUM`. Three things replace them:
 * - In a row of the ledger a pad stands before the texts. It fills all of the row that SQLite keeps
 *   in a page of the table, so texts lie only on pages of their own. No copy of them is left behind
 *   when the table moves rows between its pages.
 * - A text is overwritten before it is deleted. SQLite writes a row of the same size in place.
 * - The log is then overwritten by filling it twice: once until it starts over, and once over what
 *   it contained.
 *
 * Cloudflare can restore an object to any time of the last 30 days, whatever is written here.
 * @see https://www.sqlite.org/fileformat2.html#b_tree_pages
 */
import * as z from "zod";
import { TEXT_FIELDS, withoutText } from "../../protocol/kept-text.ts";
import { RequestRecord } from "../../protocol/records.ts";
import { readMeta, writeMeta } from "../storage/meta.ts";
import { SLICE_IDS } from "./forgotten.ts";

const PAGE_BYTES = 4_096;
/** The most of a row that SQLite keeps in a page of a table WITHOUT ROWID. The rest overflows. */
const PAD_BYTES = Math.floor(((PAGE_BYTES - 12) * 64) / 255) - 23;

/** One row of the filler; a row may have 2 MB. */
const FILLER_ROW_BYTES = 1_000_000;
/**
 * SQLite starts its log over after 1,000 pages (4 MB) and the transaction that exceeds them. The
 * largest is a batch of records: 1 MiB, which become 17 MB if they are short.
 */
const FILLER_ROWS = 32;

/** Deletions of texts that the log may still contain. */
const PENDING = "erasures_pending";
/** 1 while no row of the ledger contains a text. */
const IS_WITHOUT_TEXTS = "is_without_texts";

/** Returns the length of the pad before the texts of a record. */
export const padBytesOf = (record: Pick<RequestRecord, (typeof TEXT_FIELDS)[number]>): number =>
  TEXT_FIELDS.every((field) => record[field] === null) ? 0 : PAD_BYTES;

/** As many zeros as the text has bytes; null for null. */
const zeros = (column: string): string => {
  const length = `length(CAST(${column} AS BLOB))`;
  return `${column} = substr(hex(zeroblob(${length})), 1, ${length})`;
};
const OVERWRITE = `UPDATE ledger SET ${TEXT_FIELDS.map(zeros).join(", ")}
  WHERE length(pad) > 0 AND request_id IN (SELECT value FROM json_each(?)) RETURNING 1`;

/** Overwrites the texts of these rows, in the transaction that deletes them. */
export function overwriteTexts(sql: SqlStorage, ids: readonly string[]): void {
  const { length } = sql.exec(OVERWRITE, JSON.stringify(ids)).toArray();
  if (length > 0) writeMeta(sql, PENDING, pendingIn(sql) + 1);
}

/** Accepts any length: a text that is too long for a record is erased, too. */
const text = z.string().nullable();
const Texts = RequestRecord.pick({ request_id: true, failed_at: true, http_status: true }).extend({
  error_message: text,
  prompt: text,
  response: text,
});
const FIND = `SELECT ${Object.keys(Texts.shape).join(", ")} FROM ledger
  WHERE request_id > ? AND length(pad) > 0 ORDER BY request_id LIMIT ${SLICE_IDS}`;
const REPLACE = `UPDATE ledger SET pad = zeroblob(?),
  ${TEXT_FIELDS.map((field) => `${field} = ?`).join(", ")} WHERE request_id = ?`;

/**
 * Removes the texts of one slice of rows, as if text had been off when they arrived.
 * @param afterId  the last id of the slice before; empty for the first
 * @returns the last id of the slice; null at the end
 */
function eraseSlice(sql: SqlStorage, afterId: string): string | null {
  const texts = sql
    .exec(FIND, afterId)
    .toArray()
    .map((row) => Texts.parse(row));
  overwriteTexts(
    sql,
    texts.map(({ request_id }) => request_id),
  );
  for (const { request_id, ...row } of texts) {
    const kept = withoutText(row);
    sql.exec(REPLACE, padBytesOf(kept), ...TEXT_FIELDS.map((field) => kept[field]), request_id);
  }
  return texts.at(-1)?.request_id ?? null;
}

const pendingIn = (sql: SqlStorage): number => readMeta(sql, PENDING) ?? 0;

export class Erasure {
  readonly #storage: DurableObjectStorage;
  readonly #isTextOff: () => boolean;
  readonly #onErased: () => void;
  #isWithoutTexts: boolean;
  /** The runs, one after the other. */
  #last: Promise<void> = Promise.resolve();

  /**
   * @param isTextOff  whether no text may be stored now
   * @param onErased   called when the texts of rows that stay are gone
   */
  constructor(
    storage: DurableObjectStorage,
    isTextOff: () => boolean,
    onErased: () => void = () => {},
  ) {
    this.#storage = storage;
    this.#isTextOff = isTextOff;
    this.#onErased = onErased;
    this.#isWithoutTexts = readMeta(storage.sql, IS_WITHOUT_TEXTS) === 1;
  }

  /** Returns whether a text is stored that must not be, or is deleted but not yet unreadable. */
  get isDue(): boolean {
    return this.#mustErase || pendingIn(this.#storage.sql) > 0;
  }

  get #mustErase(): boolean {
    return this.#isTextOff() && !this.#isWithoutTexts;
  }

  /** Notes that texts are being stored, so that a later switch erases them. */
  noteTexts(): void {
    if (this.#isWithoutTexts) this.#note(false);
  }

  /** Erases what is due. */
  run(): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#run());
    return this.#last;
  }

  async #run(): Promise<void> {
    // In slices, so that calls are answered in between. Text may be switched on again meanwhile.
    for (let id: string | null = ""; id !== null && this.#mustErase; await this.#storage.sync()) {
      const after: string = id;
      id = this.#storage.transactionSync(() => eraseSlice(this.#storage.sql, after));
      if (id === null) this.#note(true);
      this.#onErased();
    }
    const pending = pendingIn(this.#storage.sql);
    if (pending === 0) return;
    for (let pass = 0; pass < 2; pass++) await this.#fillLog();
    writeMeta(this.#storage.sql, PENDING, pendingIn(this.#storage.sql) - pending);
  }

  #note(isWithoutTexts: boolean): void {
    writeMeta(this.#storage.sql, IS_WITHOUT_TEXTS, Number(isWithoutTexts));
    this.#isWithoutTexts = isWithoutTexts;
  }

  async #fillLog(): Promise<void> {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      sql.exec("DROP TABLE IF EXISTS filler");
      sql.exec("CREATE TABLE filler (id INTEGER PRIMARY KEY, zeros BLOB NOT NULL) STRICT");
      for (let row = 0; row < FILLER_ROWS; row++)
        sql.exec("INSERT INTO filler (zeros) VALUES (zeroblob(?))", FILLER_ROW_BYTES);
    });
    // Pages that are freed before they are written never reach the log.
    await this.#storage.sync();
    sql.exec("DROP TABLE filler");
    await this.#storage.sync();
  }
}
