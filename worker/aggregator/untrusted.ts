/**
 * Counts the records of agents that the edge could not trust, by box and reason.
 *
 * One row write for each batch that contains any, so a flood of them costs little. Each box and reason
 * is logged once after each start.
 */
import * as z from "zod";
import { Untrusted } from "../../protocol/untrusted.ts";

const Row = z.object({
  box: z.string(),
  reason: Untrusted,
  records: z.number(),
  last_at_ms: z.number(),
});
export type UntrustedCount = z.infer<typeof Row>;

/** Boxes need a secret to report, so there are few. */
export class UntrustedCounts {
  readonly #sql: SqlStorage;
  readonly #logged = new Set<string>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @param malformed  how many more could not be read */
  add(
    box: string,
    untrusted: readonly { reason: Untrusted; requestId: string }[],
    malformed: number,
    nowMs: number,
  ): void {
    for (const [reason, of] of Map.groupBy(untrusted, ({ reason }) => reason))
      this.#add(box, reason, of.length, of[0]?.requestId ?? null, nowMs);
    if (malformed > 0) this.#add(box, "malformed", malformed, null, nowMs);
  }

  all(): UntrustedCount[] {
    return this.#sql
      .exec("SELECT box, reason, records, last_at_ms FROM untrusted ORDER BY box, reason")
      .toArray()
      .map((row) => Row.parse(row));
  }

  /** Forgets the counts of a box. */
  forget(box: string): void {
    this.#sql.exec("DELETE FROM untrusted WHERE box = ?", box);
  }

  /** @param requestId  one of them, for the log; null if unknown */
  #add(
    box: string,
    reason: Untrusted,
    records: number,
    requestId: string | null,
    nowMs: number,
  ): void {
    this.#sql.exec(
      `INSERT INTO untrusted (box, reason, records, last_at_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (box, reason) DO UPDATE
       SET records = records + excluded.records, last_at_ms = excluded.last_at_ms`,
      box,
      reason,
      records,
      nowMs,
    );
    const key = `${box} ${reason}`;
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    console.warn(JSON.stringify({ event: "untrusted_record", box, reason, request_id: requestId }));
  }
}
