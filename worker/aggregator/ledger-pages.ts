/**
 * The pages of the ledger in storage, see {@link LedgerPage}. Their labels are in memory: 2 MB for all that
 * the ledger holds.
 *
 * Records fill the newest page of their kind. Calls that no box took have pages of their own, so that a
 * flood of them is deleted page by page.
 */
import * as z from "zod";
import { TEXT_FIELDS } from "../../protocol/kept-text.ts";
import { bytesOfId } from "../storage/uuid-bytes.ts";
import { LedgerPage, type StoredRow } from "./ledger-page.ts";
import { PageLabel } from "./page-label.ts";
import { noteErasure } from "./pending-erasures.ts";

export type PageKind = "taken" | "refused";
/** The number of a page rises. */
export type Labelled = { page: number; kind: PageKind; label: PageLabel };

const Bytes = z.instanceof(ArrayBuffer).transform((buffer) => new Uint8Array(buffer));
const LabelRow = z.object({
  page: z.number(),
  kind: z.literal(["taken", "refused"]),
  label: Bytes,
});
const PageRow = z.object({ label: Bytes, heads: Bytes, texts: Bytes });
const Named = z.object({ request_id: z.string() });
const Numbered = z.object({ page: z.number() });

export class LedgerPages {
  readonly #sql: SqlStorage;
  /** In order of their numbers; null until they are read. */
  #labels: Labelled[] | null = null;
  /** The pages that the next records fill. */
  readonly #open = new Map<PageKind, { page: number; content: LedgerPage }>();
  /** No page has a newer request. Nearly all that are added are newer. */
  #newest = "";
  /** Index of the label of the request that was found last. */
  #foundLast = 0;
  /** Pages that differ from storage. */
  readonly #changed = new Map<number, { content: LedgerPage; isNew: boolean }>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Reads the labels again next time: a transaction was rolled back. */
  forget(): void {
    this.#labels = null;
    this.#open.clear();
    this.#changed.clear();
  }

  /** Returns the labels in order of arrival. Do not change them. */
  labels(): readonly Labelled[] {
    return this.#all();
  }

  /** Returns how many records the pages of a kind have; of all kinds without one. */
  records(kind?: PageKind): number {
    let sum = 0;
    for (const each of this.#all())
      if (kind === undefined || each.kind === kind) sum += each.label.records;
    return sum;
  }

  /** Returns the oldest and the newest request; null without one. */
  span(): { first: string; last: string } | null {
    const labels = this.#all().map(({ label }) => label);
    const [first] = labels.map((label) => label.first).sort();
    const last = labels.map((label) => label.last).sort();
    return first === undefined ? null : { first, last: last.at(-1) ?? first };
  }

  has(id: string): boolean {
    return this.#find(id) !== null;
  }

  /** Adds a record that no page has, in memory until {@link write}. */
  add(row: StoredRow, kind: PageKind): void {
    const open = this.#openPage(kind);
    const { request_id: id } = Named.parse(row);
    if (id > this.#newest) this.#newest = id;
    if (open?.content.isCurrent && open.content.add(row)) {
      this.#change(open.page, open.content, false);
      return;
    }
    const page = (this.#all().at(-1)?.page ?? 0) + 1;
    const content = LedgerPage.for(row);
    content.add(row);
    this.#all().push({ page, kind, label: content.label });
    this.#open.set(kind, { page, content });
    this.#change(page, content, true);
  }

  /** Writes what {@link add} added, in its transaction. A page is one row. */
  write(): void {
    for (const [page, { content, isNew }] of this.#changed)
      if (isNew) this.#insert(page, content);
      else this.#overwrite(page, content);
    this.#changed.clear();
  }

  /** Returns the records of a page without their texts; none if it is gone. */
  rows(page: number): StoredRow[] {
    return this.#content(page)?.rows() ?? [];
  }

  /** Returns the records of these requests that exist, with their texts, in no order. */
  wholeRows(ids: readonly string[]): StoredRow[] {
    return [...this.#byPage(ids)].flatMap(
      ([page, positions]) => this.#content(page)?.wholeRows(positions) ?? [],
    );
  }

  /**
   * Yields the pages that may have records of requests from [from, to), each with those. Pages that come
   * and go meanwhile may be missed.
   */
  *between(from: string, to: string, order: "up" | "down"): Generator<StoredRow[]> {
    const labels = this.#all().filter(({ label }) => label.last >= from && label.first < to);
    for (const { page } of order === "up" ? labels : labels.toReversed())
      yield this.rows(page).filter((row) => {
        const { request_id: id } = Named.parse(row);
        return id >= from && id < to;
      });
  }

  /**
   * Returns the records of these requests in whose pages the texts contain `json`.
   * @param json  the sought text as it stands in JSON, in small letters
   */
  rowsWithText(ids: readonly string[], json: string): StoredRow[] {
    const byPage = this.#byPage(ids);
    // `instr`, since the platform limits patterns of LIKE to 50 bytes.
    const sql = `SELECT page FROM ledger_pages WHERE page IN (SELECT value FROM json_each(?1))
      AND instr(lower(CAST(texts AS TEXT)), ?2) > 0`;
    return this.#sql
      .exec(sql, JSON.stringify([...byPage.keys()]), json)
      .toArray()
      .flatMap((row) => {
        const { page } = Numbered.parse(row);
        return this.#content(page)?.wholeRows(byPage.get(page) ?? []) ?? [];
      });
  }

  /** Changes a record, in a transaction. */
  replace(id: string, row: StoredRow): void {
    const found = this.#find(id);
    const from = this.#all().find(({ page }) => page === found?.page);
    if (from === undefined) return;
    this.#rebuild(from, (rows) => rows.map((each) => (each.request_id === id ? row : each)));
  }

  /** Removes records from a page, and their texts from storage, in a transaction. */
  remove(from: Labelled, ids: readonly string[]): void {
    const gone = new Set<unknown>(ids);
    if (gone.size < from.label.records) {
      this.#rebuild(from, (rows) => rows.filter(({ request_id: id }) => !gone.has(id)));
      return;
    }
    const { page } = from;
    if (hasTexts(from.label)) {
      const content = this.#content(page);
      if (content !== null) this.#overwrite(page, content.emptied());
      noteErasure(this.#sql);
    }
    this.#sql.exec("DELETE FROM ledger_pages WHERE page = ?", page);
    this.#labels = this.#all().filter((each) => each.page !== page);
    if (this.#open.get(from.kind)?.page === page) this.#open.delete(from.kind);
  }

  /**
   * Changes the texts of a page, in a transaction.
   * @param change  returns a record as it is from then on
   * @returns whether any text of it changed
   */
  changeTexts(from: Labelled, change: (row: StoredRow) => StoredRow): boolean {
    if (!hasTexts(from.label)) return false;
    const isChanged = (row: StoredRow) => {
      const after = change(row);
      return TEXT_FIELDS.some((field) => after[field] !== row[field]);
    };
    if (this.#content(from.page)?.wholeRows().some(isChanged) !== true) return false;
    this.#rebuild(from, (rows) => rows.map(change));
    return true;
  }

  /** Returns whether the next records may fill a page. */
  isOpen({ page, kind }: Labelled): boolean {
    return this.#all().findLast((each) => each.kind === kind)?.page === page;
  }

  /** Writes a page again. Records that have no room in it any more go to another page. */
  #rebuild(from: Labelled, change: (rows: StoredRow[]) => StoredRow[]): void {
    const { page, kind } = from;
    const before = this.#content(page);
    if (before === null) return;
    const after = before.emptied();
    const left = change(before.wholeRows()).filter((row) => !after.add(row));
    if (hasTexts(from.label)) noteErasure(this.#sql);
    from.label = after.label;
    if (this.#open.get(kind)?.page === page) this.#open.set(kind, { page, content: after });
    this.#overwrite(page, after);
    for (const row of left) this.add(row, kind);
    this.write();
  }

  #insert(page: number, { label, heads, texts }: LedgerPage): void {
    const kind = this.#all().find((each) => each.page === page)?.kind ?? "taken";
    this.#sql.exec(
      "INSERT INTO ledger_pages (page, kind, label, heads, texts) VALUES (?, ?, ?, ?, ?)",
      page,
      kind,
      ...[label.bytes.buffer, heads.buffer, texts.buffer],
    );
  }

  #overwrite(page: number, { label, heads, texts }: LedgerPage): void {
    this.#sql.exec(
      "UPDATE ledger_pages SET label = ?, heads = ?, texts = ? WHERE page = ?",
      ...[label.bytes.buffer, heads.buffer, texts.buffer],
      page,
    );
  }

  #change(page: number, content: LedgerPage, isNew: boolean): void {
    if (!this.#changed.has(page)) this.#changed.set(page, { content, isNew });
  }

  #openPage(kind: PageKind): { page: number; content: LedgerPage } | null {
    const known = this.#open.get(kind);
    if (known !== undefined) return known;
    const newest = this.#all().findLast((each) => each.kind === kind);
    const content = newest === undefined ? null : this.#content(newest.page);
    if (newest === undefined || content === null) return null;
    const open = { page: newest.page, content };
    newest.label = content.label;
    this.#open.set(kind, open);
    return open;
  }

  /** Returns a page; null if it does not exist. */
  #content(page: number): LedgerPage | null {
    const changed = this.#changed.get(page)?.content;
    if (changed !== undefined) return changed;
    for (const open of this.#open.values()) if (open.page === page) return open.content;
    const [row] = this.#sql
      .exec("SELECT label, heads, texts FROM ledger_pages WHERE page = ?", page)
      .toArray();
    if (row === undefined) return null;
    const { label, heads, texts } = PageRow.parse(row);
    return new LedgerPage(new PageLabel(label), heads, texts);
  }

  /** Returns the positions of requests in their pages. */
  #byPage(ids: readonly string[]): Map<number, number[]> {
    const byPage = new Map<number, number[]>();
    for (const id of ids) {
      const found = this.#find(id);
      if (found === null) continue;
      const positions = byPage.get(found.page) ?? [];
      byPage.set(found.page, [...positions, found.at]);
    }
    return byPage;
  }

  #find(id: string): { page: number; at: number } | null {
    if (id > this.#newest) return null;
    const labels = this.#all();
    const bytes = bytesOfId(id);
    const foundIn = (index: number) => {
      const labelled = labels[index];
      const at = labelled?.label.indexOf(id, bytes) ?? -1;
      if (labelled === undefined || at < 0) return null;
      this.#foundLast = index;
      return { page: labelled.page, at };
    };
    // Readers go through requests in order; nearly all others look for one in the newest pages.
    const near = this.#foundLast;
    let found = foundIn(near) ?? foundIn(near - 1) ?? foundIn(near + 1);
    for (let index = labels.length - 1; found === null && index >= 0; index--)
      found = foundIn(index);
    return found;
  }

  #all(): Labelled[] {
    if (this.#labels !== null) return this.#labels;
    this.#labels = this.#sql
      .exec("SELECT page, kind, label FROM ledger_pages ORDER BY page")
      .toArray()
      .map((row) => {
        const { page, kind, label } = LabelRow.parse(row);
        return { page, kind, label: new PageLabel(label) };
      });
    this.#newest = this.span()?.last ?? "";
    return this.#labels;
  }
}

const hasTexts = ({ records, textsUsed }: PageLabel): boolean => textsUsed > records;
