/**
 * The rows of the ledger in memory, with the columns by which logs are selected: a few megabytes for all
 * of them. So a page and its total need no search of the table. Pure.
 */
import { idFloor } from "../../protocol/uuid-time.ts";
import { entryOf, type IndexedRow, matcher, type RowEntry, type RowFilter } from "./row-filter.ts";

export type PageRange = {
  /** Leaves out this id and newer ones. */
  cursor: string | undefined;
  /** Leaves out this id and older ones. */
  afterId: string | null;
  offset: number;
  rows: number;
};

export class LedgerIndex {
  /** In order of their ids. */
  #entries: RowEntry[] = [];
  /** The arrival of the newest entry. */
  arrival = 0;

  /** Adds a row. Most rows are newer than nearly all others. */
  add(row: IndexedRow): void {
    const at = this.#before(row.request_id);
    if (this.#entries[at]?.request_id === row.request_id) return;
    this.#entries.splice(at, 0, entryOf(row, ++this.arrival));
  }

  remove(ids: readonly string[]): void {
    const gone = new Set(ids);
    this.#entries = this.#entries.filter(({ request_id }) => !gone.has(request_id));
  }

  /** Returns the rows that match and arrived after another one, oldest first. */
  matching(filter: RowFilter, afterArrival: number): readonly RowEntry[] {
    const matches = matcher(filter);
    return this.#entries
      .slice(...this.#range(filter))
      .filter((entry) => entry.arrival > afterArrival && (matches === null || matches(entry)));
  }

  /**
   * Yields the rows that match now, oldest first, in slices. Rows that come and go meanwhile do not
   * count.
   * @param rows  how many are looked at for a slice
   */
  *slices(
    filter: RowFilter,
    found: ReadonlySet<string> | null,
    rows: number,
  ): Generator<readonly RowEntry[]> {
    const matches = matcher(filter);
    const all = this.#entries.slice(...this.#range(filter));
    for (let at = 0; at < all.length; at += rows)
      yield all
        .slice(at, at + rows)
        .filter(
          (row) => (matches === null || matches(row)) && (found?.has(row.request_id) ?? true),
        );
  }

  /** Returns the oldest row; null without rows. */
  get oldest(): RowEntry | null {
    return this.#entries[0] ?? null;
  }

  /**
   * Returns how many rows match, and the ids of those on a page, newest first.
   * @param found  limits them to these ids; null for no limit
   */
  page(
    filter: RowFilter,
    found: ReadonlySet<string> | null,
    { cursor, afterId, offset, rows }: PageRange,
  ): { total: number; ids: string[] } {
    const [from, to] = this.#range(filter);
    const newest = cursor === undefined ? to : Math.min(to, this.#before(cursor));
    const oldest = afterId === null ? from : Math.max(from, this.#after(afterId));
    const idsOf = (entries: readonly RowEntry[]) =>
      entries.map(({ request_id }) => request_id).reverse();
    const matches = matcher(filter);
    if (matches === null && found === null) {
      const end = Math.max(oldest, newest - offset);
      const ids = idsOf(this.#entries.slice(Math.max(oldest, end - rows), end));
      return { total: Math.max(0, to - from), ids };
    }
    let [total, before] = [0, 0];
    const page: RowEntry[] = [];
    for (let at = to - 1; at >= from; at--) {
      const entry = this.#entries[at] as RowEntry;
      if (matches?.(entry) === false || found?.has(entry.request_id) === false) continue;
      total++;
      if (at < newest && at >= oldest && page.length < rows && before++ >= offset) page.push(entry);
    }
    return { total, ids: idsOf(page).reverse() };
  }

  /** Returns the positions of the rows of a span of time. */
  #range({ since, until }: RowFilter): [from: number, to: number] {
    const at = (time: string) => this.#before(idFloor(Date.parse(time)));
    return [
      since === undefined ? 0 : at(since),
      until === undefined ? this.#entries.length : at(until),
    ];
  }

  /** Returns how many ids are at most this one. */
  #after(id: string): number {
    const at = this.#before(id);
    return this.#entries[at]?.request_id === id ? at + 1 : at;
  }

  /** Returns how many ids are less than this one. */
  #before(id: string): number {
    let [from, to] = [0, this.#entries.length];
    if (to > 0 && (this.#entries[to - 1] as RowEntry).request_id < id) return to;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#entries[middle] as RowEntry).request_id < id) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
