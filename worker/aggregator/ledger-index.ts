/**
 * The rows of the ledger in memory, with the columns by which logs are selected: a few megabytes for all
 * of them. So a page and its total need no search of the table. Pure.
 */
import type { LogsPage } from "../../protocol/api/logs.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { spellingsOf } from "../counting/model-key.ts";
import { idFloor } from "../storage/uuid-time.ts";

export type IndexedRow = Pick<RequestRecord, "request_id" | "model" | "status" | "box" | "key_id">;
type Entry = IndexedRow & {
  /** Rises with each row that is added. */
  arrival: number;
};

export type RowFilter = Pick<LogsPage, "model" | "status" | "box" | "id" | "key"> & {
  since?: string | undefined;
  until?: string | undefined;
};

export class LedgerIndex {
  /** In order of their ids. */
  #entries: Entry[] = [];
  /** The arrival of the newest entry. */
  arrival = 0;

  /** Adds a row. Most rows are newer than nearly all others. */
  add(row: IndexedRow): void {
    const at = this.#before(row.request_id);
    if (this.#entries[at]?.request_id === row.request_id) return;
    this.#entries.splice(at, 0, { ...row, arrival: ++this.arrival });
  }

  remove(ids: readonly string[]): void {
    const gone = new Set(ids);
    this.#entries = this.#entries.filter(({ request_id }) => !gone.has(request_id));
  }

  /** Returns the rows that match, oldest first. */
  matching({ model, status, box, id, key, since, until }: RowFilter): readonly Entry[] {
    const from = since === undefined ? 0 : this.#before(idFloor(Date.parse(since)));
    const to = until === undefined ? undefined : this.#before(idFloor(Date.parse(until)));
    const entries = this.#entries.slice(from, to);
    if ([model, status, box, id, key].every((wanted) => wanted === undefined)) return entries;
    const models = model === undefined ? null : new Set<string | null>(spellingsOf(model));
    return entries.filter(
      (entry) =>
        (models === null || models.has(entry.model)) &&
        (status === undefined || entry.status === status) &&
        (box === undefined || entry.box === box) &&
        (key === undefined || entry.key_id === key) &&
        (id === undefined || entry.request_id === id),
    );
  }

  /** Returns how many ids are less than this one. */
  #before(id: string): number {
    let [from, to] = [0, this.#entries.length];
    if (to > 0 && (this.#entries[to - 1] as Entry).request_id < id) return to;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#entries[middle] as Entry).request_id < id) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
