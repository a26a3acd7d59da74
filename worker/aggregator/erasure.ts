/**
 * Erasure: leaves nothing of a deleted text in the files of the database.
 *
 * A deleted row stays in free pages and in the write-ahead log until both are reused, and the
 * platform allows neither `secure_delete` nor `VACUUM`. Three things replace them:
 * - In a row of the ledger the texts come last, behind more bytes than SQLite keeps of a row in a page of
 *   the table. So they lie only on pages of their own, and no copy of them is left behind when the
 *   table moves rows between its pages.
 * - A row never changes its length, so SQLite writes it in place. A text is overwritten before its row
 *   is deleted.
 * - The log is then overwritten by filling it twice: once until it starts over, and once over what
 *   it contained.
 *
 * Cloudflare can restore an object to any time of the last 30 days, whatever is written here.
 * @see https://www.sqlite.org/fileformat2.html#b_tree_pages
 */
import { readMeta, writeMeta } from "../storage/meta.ts";
import type { LedgerTexts } from "./ledger-texts.ts";
import { erasuresDone, pendingErasures } from "./pending-erasures.ts";

/** One row of the filler: the most that a row may have. Each is billed. */
const FILLER_ROW_BYTES = 2_000_000;
/**
 * SQLite starts its log over after 1,000 pages (4 MB) and the transaction that exceeds them. The
 * largest is a batch of records: 1 MiB, which become 17 MB if they are short.
 */
const FILLER_ROWS = 16;

/** 1 while no row of the ledger contains a text. */
const IS_WITHOUT_TEXTS = "is_without_texts";

/** The part of the ledger that erases. */
export type ErasedLedger = {
  texts: Pick<LedgerTexts, "eraseAll">;
  /** That transaction was rolled back. */
  rolledBack(): void;
};

export class Erasure {
  readonly #storage: DurableObjectStorage;
  readonly #ledger: ErasedLedger;
  readonly #isTextOff: () => boolean;
  #isWithoutTexts: boolean;
  /** The runs, one after the other. */
  #last: Promise<void> = Promise.resolve();

  /** @param isTextOff  whether no text may be stored now */
  constructor(storage: DurableObjectStorage, ledger: ErasedLedger, isTextOff: () => boolean) {
    this.#storage = storage;
    this.#ledger = ledger;
    this.#isTextOff = isTextOff;
    this.#isWithoutTexts = readMeta(storage.sql, IS_WITHOUT_TEXTS) === 1;
  }

  /** Returns whether a text is stored that must not be, or is deleted but not yet unreadable. */
  get isDue(): boolean {
    return this.#mustErase || pendingErasures(this.#storage.sql) > 0;
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
    for (
      let page: number | null = 0;
      page !== null && this.#mustErase;
      await this.#storage.sync()
    ) {
      const after: number = page;
      page = this.#eraseSlice(after);
      if (page === null) this.#note(true);
    }
    const pending = pendingErasures(this.#storage.sql);
    if (pending === 0) return;
    for (let pass = 0; pass < 2; pass++) await this.#fillLog();
    erasuresDone(this.#storage.sql, pending);
  }

  #eraseSlice(after: number): number | null {
    try {
      return this.#storage.transactionSync(() => this.#ledger.texts.eraseAll(after));
    } catch (error) {
      this.#ledger.rolledBack();
      throw error;
    }
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
