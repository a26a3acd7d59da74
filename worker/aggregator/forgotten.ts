/**
 * Ids of requests whose ledger rows were deleted.
 *
 * A record may be delivered again much later, for example by an agent that was away for a week.
 * Without its row it would count twice. An id costs 16 bytes here, a row a hundred times as much.
 */
import * as z from "zod";
import { bytesOfIds, includesId } from "../storage/uuid-bytes.ts";

/** Ids per slice: 8 KB, one row write. */
export const SLICE_IDS = 500;
/**
 * Slices kept: 2 million ids, 32 MB. A record that is delivered again after that many others counts
 * twice.
 */
const SLICES_MAX = 4_000;

const Newest = z.object({ id: z.string().nullable() });
const Slice = z.object({ ids: z.instanceof(ArrayBuffer) });

export class Forgotten {
  readonly #sql: SqlStorage;
  /** The newest forgotten id. Nearly every record is newer and needs no query. */
  #newest: string | null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#newest = Newest.parse(sql.exec("SELECT max(last_id) AS id FROM forgotten").one()).id;
  }

  /** Returns the newest forgotten id, or null. Every newer record has its row. */
  newest(): string | null {
    return this.#newest;
  }

  has(id: string): boolean {
    if (this.#newest === null || id > this.#newest) return false;
    // All of them: a cursor that is not read to its end locks the tables.
    const slices = this.#sql
      .exec("SELECT ids FROM forgotten WHERE first_id <= ?1 AND last_id >= ?1", id)
      .toArray();
    return slices.some((row) => includesId(new Uint8Array(Slice.parse(row).ids), id));
  }

  /** @param ids  sorted, at least one and at most {@link SLICE_IDS} */
  add(ids: readonly string[]): void {
    const [first] = ids;
    const last = ids.at(-1);
    if (first === undefined || last === undefined) return;
    this.#sql.exec(
      "INSERT INTO forgotten (first_id, last_id, ids) VALUES (?, ?, ?)",
      first,
      last,
      bytesOfIds(ids).buffer,
    );
    this.#sql.exec(
      "DELETE FROM forgotten WHERE slice <= (SELECT max(slice) FROM forgotten) - ?",
      SLICES_MAX,
    );
    if (this.#newest === null || last > this.#newest) this.#newest = last;
  }
}
