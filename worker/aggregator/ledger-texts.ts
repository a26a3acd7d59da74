/** Removes texts from the ledger: those whose retention is over, or all. The records stay. */
import { NOT_KEPT } from "../../protocol/kept-text.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { idFloor, timeOf } from "../../protocol/uuid-time.ts";
import type { StoredRow } from "./ledger-page.ts";
import type { LedgerPages } from "./ledger-pages.ts";
import { withoutTexts } from "./without-texts.ts";

/** Greater than any id. */
const AFTER_ALL_IDS = "~";

export class LedgerTexts {
  readonly #pages: LedgerPages;
  readonly #keptMs: number | null;
  readonly #onErased: () => void;
  /** Pages of which every text is removed that can be. */
  readonly #done = new Set<number>();

  /**
   * @param keptMs    null for as long as the records
   * @param onErased  called after a page has changed
   */
  constructor(pages: LedgerPages, keptMs: number | null, onErased: () => void) {
    this.#pages = pages;
    this.#keptMs = keptMs;
    this.#onErased = onErased;
  }

  /** Returns whether the retention of the texts of a record is over. */
  isOver({ started_at }: Pick<RequestRecord, "started_at">, nowMs: number): boolean {
    return this.#keptMs !== null && Date.parse(started_at) < nowMs - this.#keptMs;
  }

  /**
   * Removes the texts of one page that are due, in a transaction.
   * @param heldId  this request and newer ones are still needed with their texts; null if none is
   * @returns whether there was one
   */
  eraseSlice(nowMs: number, heldId: string | null): boolean {
    if (this.#keptMs === null) return false;
    const horizon = idFloor(nowMs - this.#keptMs);
    const end = heldId !== null && heldId < horizon ? heldId : horizon;
    const isOld = ({ request_id: id }: StoredRow) => typeof id === "string" && id < end;
    for (const from of this.#pages.labels()) {
      const { page, label } = from;
      if (label.first >= end || this.#done.has(page)) continue;
      const { last } = label;
      const isChanged = this.#pages.changeTexts(from, (row) =>
        isOld(row) ? withoutTexts(row, NOT_KEPT) : row,
      );
      // A page that still gets records is looked at again.
      if (last < end && !this.#pages.isOpen(from)) this.#done.add(page);
      if (!isChanged) continue;
      this.#onErased();
      return true;
    }
    return false;
  }

  /**
   * Removes the texts of one slice of records, as if text had been off when they arrived, in a transaction.
   * @param after  the last page of the slice before; 0 for the first
   * @returns the last page of the slice; null at the end
   */
  eraseAll(after: number): number | null {
    const from = this.#pages.labels().find(({ page }) => page > after);
    if (from === undefined) return null;
    this.#pages.changeTexts(from, (row) => withoutTexts(row));
    this.#onErased();
    return from.page;
  }

  /** Returns when the next text is due, unix ms; null if none is ever due before its record. */
  dueMs(nowMs: number): number | null {
    if (this.#keptMs === null) return null;
    const horizon = idFloor(nowMs - this.#keptMs);
    let next = AFTER_ALL_IDS;
    for (const { label } of this.#pages.labels())
      if (label.last >= horizon && label.first < next)
        for (const id of label.ids()) if (id >= horizon && id < next) next = id;
    return next === AFTER_ALL_IDS ? null : timeOf(next) + this.#keptMs;
  }

  /** A transaction was rolled back. */
  forget(): void {
    this.#done.clear();
  }
}
