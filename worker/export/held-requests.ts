/**
 * Requests whose records the edge is about to complete: an external store gets them afterwards, since a
 * row that was delivered cannot be changed there.
 *
 * An agent that was killed reports such a record at its next start, and the edge completes it once
 * the caller's stream has ended. A record that nobody completes goes to the stores as it is.
 */
import * as z from "zod";
import type { Outbox } from "./outbox.ts";

/**
 * The edge completes a record within 20 s after the caller's stream has ended, all its attempts
 * together. The rest is for a caller that takes its time to read the last bytes.
 */
export const HELD_MS = 5 * 60_000;

const Held = z.object({ request_id: z.string() });
const Due = z.object({ due_ms: z.number().nullable() });

export class HeldRequests {
  readonly #sql: SqlStorage;
  readonly #outbox: Outbox;

  constructor(sql: SqlStorage, outbox: Outbox) {
    this.#sql = sql;
    this.#outbox = outbox;
  }

  /** Holds requests, in the transaction that writes their ledger rows. */
  hold(ids: readonly string[], nowMs: number): void {
    if (!this.#outbox.isOpen) return;
    for (const id of ids)
      this.#sql.exec(
        "INSERT OR IGNORE INTO held_requests (request_id, due_ms) VALUES (?, ?)",
        id,
        nowMs + HELD_MS,
      );
  }

  /** Passes on a request whose record is complete, in the transaction that completes it. */
  release(id: string): void {
    this.#pass("DELETE FROM held_requests WHERE request_id = ? RETURNING request_id", id);
  }

  /** Passes on the requests that were held for long enough. */
  releaseDue(nowMs: number): void {
    this.#pass("DELETE FROM held_requests WHERE due_ms <= ? RETURNING request_id", nowMs);
  }

  /** Returns when the next request is due, unix ms; null if none is held. */
  dueMs(): number | null {
    return Due.parse(this.#sql.exec("SELECT min(due_ms) AS due_ms FROM held_requests").one())
      .due_ms;
  }

  #pass(sql: string, parameter: string | number): void {
    const rows = this.#sql.exec(sql, parameter).toArray();
    this.#outbox.addRequests(rows.map((row) => Held.parse(row).request_id));
  }
}
