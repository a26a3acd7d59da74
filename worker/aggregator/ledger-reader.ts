/**
 * Reads pages of the ledger, filtered as the query of `/api/stats/logs` defines it.
 *
 * The object has one thread, and everybody's records wait for it. So reads are made of slices of some
 * milliseconds with a pause between them.
 */
import type * as z from "zod";
import type { LogFacetsQuery } from "../../protocol/api/log-facets.ts";
import {
  type LogEntry,
  type Logs,
  type LogsPage,
  SHORT_TEXT_CHARS,
} from "../../protocol/api/logs.ts";
import { TEXT_FIELDS } from "../../protocol/kept-text.ts";
import { isSorted } from "../../protocol/log-order.ts";
import { RequestRecord, tokensUsed } from "../../protocol/records.ts";
import { idFloor, timeOf } from "../../protocol/uuid-time.ts";
import { isoOf } from "../answers/figures.ts";
import type { TimedCall } from "../answers/period/stretch.ts";
import { LedgerIndex } from "./ledger-index.ts";
import type { StoredRow } from "./ledger-page.ts";
import type { LedgerPages } from "./ledger-pages.ts";
import { type FacetCounts, RowFacets } from "./row-facets.ts";
import { INDEXED_COLUMNS, type IndexedRow, type RowEntry, type RowFilter } from "./row-filter.ts";
import { FirstRows } from "./row-order.ts";

/**
 * Characters of text in one page. A page that would exceed it ends early: an RPC answer may be 32
 * MiB.
 */
const PAGE_CHARS_MAX = 4_000_000;
/** Rows of a page that are read together: at most 4 MB. */
const PAGE_ROWS = 50;
/** Pages of a slice that reads no texts: some milliseconds. */
const INDEX_PAGES = 8;
/** Pages of a slice whose records are parsed: some milliseconds. */
const HEAD_PAGES = 4;
/** Rows of a slice in memory that are counted or sorted: 2 ms. */
const MEMORY_ROWS = 2_000;
/** Records of a slice whose texts are searched: two to four pages, which take 2 ms. */
const SEARCH_ROWS = 128;

const Indexed: z.ZodType<IndexedRow> = RequestRecord.pick(
  Object.fromEntries(INDEXED_COLUMNS.map((column) => [column, true])) as Record<
    (typeof INDEXED_COLUMNS)[number],
    true
  >,
);

const AT_EDGE = { store: "durable_object" } as const;

/** The newest search: the next page of it, or the next look at it, searches only what is new. */
type Search = { name: string; found: Set<string>; arrival: number };

export class LedgerReader {
  readonly #pages: LedgerPages;
  readonly #pause: () => Promise<void>;
  #index: LedgerIndex | null = null;
  #building: Promise<void> | null = null;
  #search: Search | null = null;

  constructor(pages: LedgerPages, pause: () => Promise<void>) {
    this.#pages = pages;
    this.#pause = pause;
  }

  /** A row was added. */
  added(row: IndexedRow): void {
    this.#index?.add(row);
  }

  removed(ids: readonly string[]): void {
    this.#index?.remove(ids);
  }

  /** Reads the table again next time: a transaction was rolled back. */
  forgetRows(): void {
    this.#index = null;
    this.#building = null;
    this.#search = null;
  }

  /** Forgets which texts contained what. */
  forgetSearch(): void {
    this.#search = null;
  }

  /**
   * Reads one page, newest first. It may contain fewer than `limit` entries; follow `next` or
   * `next_cursor`.
   * @param afterId  leaves out this id and older ones, which are read elsewhere; null to read all
   */
  async page(
    { limit, offset = 0, cursor, texts, q, sort, order, ...filter }: LogsPage,
    afterId: string | null,
  ): Promise<Logs> {
    const index = await this.#rows();
    const found = q === undefined ? null : await this.#found(index, filter, q);
    const isShort = texts === "short";
    if (isSorted({ sort, order })) {
      const rows = new FirstRows(offset + limit + 1, { sort, order });
      const total = await this.#inSlices(index, filter, found, (slice) => rows.add(slice));
      const page = this.#read(rows.ids(offset), limit, isShort);
      const next = page.hasMore ? offset + page.logs.length : null;
      return { ...AT_EDGE, logs: page.logs, total, limit, offset, next, next_cursor: null };
    }
    // One row more than the page shows whether a next page exists.
    const range = { cursor, afterId, offset, rows: limit + 1 };
    const { total, ids } = index.page(filter, found, range);
    const page = this.#read(ids, limit, isShort);
    const { logs } = page;
    const hasMore = page.hasMore || (afterId !== null && logs.length > 0);
    return {
      ...AT_EDGE,
      logs,
      total,
      limit,
      offset,
      next: hasMore && cursor === undefined ? offset + logs.length : null,
      next_cursor: hasMore ? (logs.at(-1)?.id ?? null) : null,
    };
  }

  /** Counts the requests that match, by facet and by time, until `nowMs` at the latest. */
  async facets(
    { q, buckets, ...filter }: LogFacetsQuery,
    nowMs: number,
  ): Promise<FacetCounts & { oldestMs: number | null }> {
    const index = await this.#rows();
    const oldestMs = index.oldest === null ? null : timeOf(index.oldest.request_id);
    const { since, until } = filter;
    const fromMs = since === undefined ? (oldestMs ?? nowMs) : Date.parse(since);
    const untilMs = until === undefined ? nowMs : Date.parse(until);
    const facets = new RowFacets(filter, { fromMs, untilMs, buckets });
    const { user, session } = filter;
    // A search is not repeated without each facet: it reads the texts of all rows.
    const [rest, found] =
      q === undefined
        ? [{ user, session, since, until }, null]
        : [filter, await this.#found(index, filter, q)];
    await this.#inSlices(index, rest, found, (slice) => facets.add(slice));
    return { ...facets.counts, oldestMs };
  }

  /** Returns the times of the calls that a model answered in [fromMs, toMs), in order of their starts. */
  async times(
    filter: Pick<RowFilter, "model" | "box" | "key">,
    fromMs: number,
    toMs: number,
  ): Promise<TimedCall[]> {
    const index = await this.#rows();
    const times: TimedCall[] = [];
    const range = { since: isoOf(fromMs), until: isoOf(toMs) };
    const answered: RowFilter = { ...filter, ...range, status: "success" };
    await this.#inSlices(index, answered, null, (slice) => {
      for (const { request_id, kind, latency } of slice)
        if (kind !== null && kind !== "manage" && kind !== "read")
          times.push({ atMs: timeOf(request_id), latencyMs: latency / 1_000 });
    });
    return times;
  }

  /** Yields the records of [fromMs, toMs) without their texts, page by page, and pauses in between. */
  async *heads(fromMs: number, toMs: number, order: "up" | "down"): AsyncGenerator<StoredRow[]> {
    let read = 0;
    for (const rows of this.#pages.between(idFloor(fromMs), idFloor(toMs), order)) {
      if (rows.length > 0) yield rows;
      if (++read % HEAD_PAGES === 0) await this.#pause();
    }
  }

  /** Takes the rows that match, and lets others have the object in between. Returns their number. */
  async #inSlices(
    index: LedgerIndex,
    filter: RowFilter,
    found: ReadonlySet<string> | null,
    take: (rows: readonly RowEntry[]) => void,
  ): Promise<number> {
    let total = 0;
    for (const rows of index.slices(filter, found, MEMORY_ROWS)) {
      if (total > 0) await this.#pause();
      take(rows);
      total += rows.length;
    }
    return total;
  }

  /** @param ids  one more than the page holds if a next page exists */
  #read(
    ids: readonly string[],
    limit: number,
    isShort: boolean,
  ): { logs: LogEntry[]; hasMore: boolean } {
    const logs: LogEntry[] = [];
    let chars = 0;
    for (const entry of this.#entries(ids, isShort)) {
      if (logs.length === limit || chars > PAGE_CHARS_MAX) return { logs, hasMore: true };
      logs.push(entry);
      chars += (entry.prompt?.length ?? 0) + (entry.response?.length ?? 0);
    }
    return { logs, hasMore: false };
  }

  /** In the order of the ids. */
  *#entries(ids: readonly string[], isShort: boolean): Generator<LogEntry> {
    for (let at = 0; at < ids.length; at += PAGE_ROWS) {
      const wanted = ids.slice(at, at + PAGE_ROWS);
      const rows = this.#pages.wholeRows(wanted).map((row) => RequestRecord.parse(row));
      const byId = new Map(rows.map((row) => [row.request_id, row]));
      for (const id of wanted) {
        const row = byId.get(id);
        if (row !== undefined) yield logEntry(isShort ? shortened(row) : row);
      }
    }
  }

  /** Returns the ids of the rows whose texts contain `q`, among those that match the filter. */
  async #found(index: LedgerIndex, filter: RowFilter, q: string): Promise<ReadonlySet<string>> {
    const name = JSON.stringify([q, filter]);
    const known = this.#search?.name === name ? this.#search : null;
    const search: Search = { name, found: new Set(known?.found), arrival: index.arrival };
    const unread = index.matching(filter, known?.arrival ?? 0);
    for (let at = 0; at < unread.length; at += SEARCH_ROWS) {
      if (at > 0) await this.#pause();
      const ids = unread.slice(at, at + SEARCH_ROWS).map(({ request_id }) => request_id);
      for (const row of this.#pages.rowsWithText(ids, lower(JSON.stringify(q).slice(1, -1)))) {
        const record = RequestRecord.parse(row);
        if (TEXT_FIELDS.some((field) => lower(record[field] ?? "").includes(lower(q))))
          search.found.add(record.request_id);
      }
    }
    this.#search = search;
    return search.found;
  }

  async #rows(): Promise<LedgerIndex> {
    while (this.#index === null || this.#building !== null) {
      const building = this.#building ?? this.#build();
      this.#building = building;
      await building;
      if (this.#building === building) this.#building = null;
    }
    return this.#index;
  }

  /** Reads the rows into memory. Rows that come and go meanwhile are noted like all others. */
  async #build(): Promise<void> {
    const index = new LedgerIndex();
    this.#index = index;
    const pages = this.#pages.labels().map(({ page }) => page);
    for (const [at, page] of pages.entries()) {
      if (at > 0 && at % INDEX_PAGES === 0) await this.#pause();
      for (const row of this.#pages.rows(page)) index.add(Indexed.parse(row));
    }
  }
}

function logEntry({ request_id, started_at, ...rest }: RequestRecord): LogEntry {
  return { id: request_id, timestamp: started_at, ...rest, tokens_used: tokensUsed(rest) };
}

const shortened = (record: RequestRecord): RequestRecord => ({
  ...record,
  prompt: shortText(record.prompt),
  response: shortText(record.response),
});

function shortText(text: string | null): string | null {
  if (text === null || text.length <= SHORT_TEXT_CHARS) return text;
  // A character may be two units of a string.
  const chars = [...text.slice(0, 2 * SHORT_TEXT_CHARS + 2)];
  return chars.length <= SHORT_TEXT_CHARS ? text : `${chars.slice(0, SHORT_TEXT_CHARS).join("")}…`;
}

/** Lowers only ASCII letters, as SQLite's `lower` does. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
