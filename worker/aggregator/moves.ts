/**
 * The moves of calls from box to box, as the edge noted them: which records do not count, and what to
 * add to the one that does.
 *
 * A box that had a call before does not know that the call moved on. Its record is set aside. It counts
 * only if no other record of the call has come for long: the last box, or the edge, was killed too.
 */

import * as z from "zod";
import { DAY_MS } from "../../protocol/day.ts";
import { withoutText } from "../../protocol/kept-text.ts";
import { type Move, movedFromOf, movesIn } from "../../protocol/moves.ts";
import { RequestRecord } from "../../protocol/records.ts";

/** No request takes longer, and its record leaves its box at the next start of an agent. */
const KEPT_MS = DAY_MS;

const Row = z.object({ request_id: z.string(), moved_from: z.string() });
const SetAside = z.object({ request_id: z.string(), record: z.string().nullable() });
const Due = z.object({ at_ms: z.number().nullable() });

export class Moves {
  readonly #sql: SqlStorage;
  /** Calls that have moved and have no record yet, with the boxes that they left. */
  readonly #noted = new Map<string, readonly Move[]>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    for (const row of sql.exec("SELECT request_id, moved_from FROM moves")) {
      const { request_id, moved_from } = Row.parse(row);
      this.#noted.set(request_id, movesIn(moved_from));
    }
  }

  /**
   * Notes the moves of a call. Each note contains those before it, and may arrive after a later one: the
   * edge sends it again if the Aggregator fails.
   */
  note(id: string, moves: readonly Move[], nowMs: number): void {
    if ((this.#noted.get(id)?.length ?? 0) >= moves.length) return;
    this.#noted.set(id, moves);
    this.#sql.exec(
      `INSERT INTO moves (request_id, moved_from, at_ms) VALUES (?, ?, ?)
       ON CONFLICT (request_id) DO UPDATE SET moved_from = excluded.moved_from`,
      id,
      movedFromOf(moves) ?? "",
      nowMs,
    );
  }

  /** Returns the records that count, with their moves. Sets the others aside. */
  counting<Kept extends RequestRecord>(records: readonly Kept[]): Kept[] {
    if (this.#noted.size === 0) return [...records];
    return records.flatMap((record): Kept[] => {
      const moves = this.#noted.get(record.request_id);
      if (moves === undefined) return [record];
      if (moves.some(({ box }) => box === record.box)) {
        const text = JSON.stringify(withoutText(record));
        this.#sql.exec("UPDATE moves SET record = ? WHERE request_id = ?", text, record.request_id);
        return [];
      }
      const attempts = record.box === null ? moves.length : moves.length + 1;
      return [{ ...record, route_reason: "failover", attempts, moved_from: movedFromOf(moves) }];
    });
  }

  /** These records are in the ledger: later ones of the same calls no longer count anyway. */
  counted(records: readonly RequestRecord[]): void {
    for (const { request_id: id } of records)
      if (this.#noted.delete(id)) this.#sql.exec("DELETE FROM moves WHERE request_id = ?", id);
  }

  /** Forgets the calls that got no record for long. Returns what was set aside of them. */
  takeOverdue(nowMs: number): RequestRecord[] {
    const sql = "DELETE FROM moves WHERE at_ms <= ? RETURNING request_id, record";
    return this.#sql
      .exec(sql, nowMs - KEPT_MS)
      .toArray()
      .flatMap((row) => {
        const { request_id, record } = SetAside.parse(row);
        this.#noted.delete(request_id);
        return record === null ? [] : [RequestRecord.parse(JSON.parse(record))];
      });
  }

  /** Returns when the next call is overdue, unix ms; null without one. */
  dueMs(): number | null {
    const { at_ms } = Due.parse(this.#sql.exec("SELECT min(at_ms) AS at_ms FROM moves").one());
    return at_ms === null ? null : at_ms + KEPT_MS;
  }
}
