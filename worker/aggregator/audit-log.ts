/**
 * The audit log. Its rows are only added, and deleted when they are old or too many.
 *
 * A change is noted before it is made, and gets its entry when its outcome is known: a change without an
 * entry cannot happen. If the edge was interrupted in between, the entry states so.
 */

import * as z from "zod";
import type { AuditPage, AuditQuery } from "../../protocol/api/audit.ts";
import { AuditEntry, type AuditedChange, isChange } from "../../protocol/audit.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { timeOf } from "../../protocol/uuid-time.ts";
import { RETENTION } from "../retention.ts";
import { jsonText } from "../storage/json-text.ts";

/** An entry has at most 4 KB, mostly a tenth of that. */
export const AUDIT_CHANGES_MAX = 20_000;
/** Sign-ins, refusals and failed changes, which must not push out the changes. */
export const AUDIT_ACCESS_MAX = 2_000;

/** A change that takes longer was interrupted. */
const OPEN_MAX_MS = 10 * 60_000;

/** The outcome of a change. */
export type AuditOutcome = Pick<AuditEntry, "outcome" | "error"> & {
  /** The target, if it was unknown before; null: as it was stated. */
  target: string | null;
};

type Filter = Omit<AuditQuery, "format" | "limit" | "cursor"> & {
  limit: number;
  cursor?: string | undefined;
};

const Open = AuditEntry.omit({ id: true, timestamp: true, outcome: true, error: true });
type Open = z.infer<typeof Open>;
const OpenRow = z.object({ id: z.string(), opened_at_ms: z.number(), change: jsonText(Open) });
const Row = z.object({ entry: jsonText(AuditEntry) });
const Time = z.object({ at_ms: z.number().nullable() });

export class AuditLog {
  readonly #sql: SqlStorage;
  readonly #nameOf: (keyId: string | null) => string | null;
  readonly #onEntry: (entry: AuditEntry, atMs: number) => void;
  readonly #keptMs: number;
  #newestMs: number;

  /**
   * @param nameOf   returns the name of a key
   * @param onEntry  called in the transaction that adds an entry
   */
  constructor(
    sql: SqlStorage,
    nameOf: (keyId: string | null) => string | null,
    onEntry: (entry: AuditEntry, atMs: number) => void = () => {},
    keptMs: number = RETENTION.auditMs,
  ) {
    this.#keptMs = keptMs;
    this.#sql = sql;
    this.#nameOf = nameOf;
    this.#onEntry = onEntry;
    this.#newestMs = Time.parse(sql.exec("SELECT max(at_ms) AS at_ms FROM audit").one()).at_ms ?? 0;
  }

  /** Notes a change that is about to be made. Its call makes no other. */
  open(change: AuditedChange, nowMs: number): void {
    this.#sql.exec(
      "INSERT INTO audit_open (id, opened_at_ms, change) VALUES (?, ?, ?)",
      change.request_id,
      nowMs,
      JSON.stringify({ ...change, times: 1, key_name: this.#nameOf(change.key_id) }),
    );
  }

  /** Adds the entry of the open change of a call. A second call has no effect. */
  close(id: string, outcome: AuditOutcome, nowMs: number): void {
    const sql = "SELECT id, opened_at_ms, change FROM audit_open WHERE id = ?";
    const [row] = this.#sql.exec(sql, id).toArray();
    if (row !== undefined) this.#close(OpenRow.parse(row), outcome, nowMs);
  }

  /** Adds an entry of which the outcome is known. */
  add(change: AuditedChange, outcome: AuditOutcome, times: number, nowMs: number): void {
    this.#insert({ ...change, times, key_name: this.#nameOf(change.key_id) }, outcome, nowMs);
  }

  page({ limit, cursor, since, until, ...filter }: Filter, nowMs: number): AuditPage {
    this.closeInterrupted(nowMs);
    const matches = (field: keyof typeof filter, column: string) =>
      filter[field] === undefined ? [] : [{ column, value: filter[field] }];
    const wanted = [
      ...matches("action", "action"),
      ...matches("outcome", "outcome"),
      ...matches("key", "key_id"),
      ...matches("identity", "identity"),
      ...matches("target", "target"),
    ];
    const fromMs = since === undefined ? 0 : Date.parse(since);
    const toMs = Math.min(
      cursor === undefined ? Number.MAX_SAFE_INTEGER : timeOf(cursor),
      until === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(until),
    );
    const rows = this.#sql.exec(
      `SELECT entry FROM audit WHERE at_ms >= ? AND at_ms < ?
        ${wanted.map(({ column }) => `AND entry ->> '$.${column}' = ?`).join(" ")}
        ORDER BY at_ms DESC LIMIT ?`,
      fromMs,
      toMs,
      ...wanted.map(({ value }) => value),
      limit + 1,
    );
    const found = rows.toArray().map((row) => Row.parse(row).entry);
    const entries = found.slice(0, limit);
    return {
      entries,
      next_cursor: found.length > limit ? (entries.at(-1)?.id ?? null) : null,
      kept: {
        days: this.#keptMs / DAY_MS,
        changes_max: AUDIT_CHANGES_MAX,
        access_max: AUDIT_ACCESS_MAX,
      },
    };
  }

  /** Returns the entry of a time; null if it is gone. */
  of(atMs: number): AuditEntry | null {
    const [row] = this.#sql.exec("SELECT entry FROM audit WHERE at_ms = ?", atMs).toArray();
    return row === undefined ? null : Row.parse(row).entry;
  }

  /** Returns the times of all entries, oldest first. */
  times(): number[] {
    return this.#sql
      .exec("SELECT at_ms FROM audit ORDER BY at_ms")
      .toArray()
      .flatMap((row) => Time.parse(row).at_ms ?? []);
  }

  /** Adds the entries of changes whose outcome nobody reported. */
  closeInterrupted(nowMs: number): void {
    const sql = "SELECT id, opened_at_ms, change FROM audit_open WHERE opened_at_ms < ?";
    for (const row of this.#sql.exec(sql, nowMs - OPEN_MAX_MS).toArray())
      this.#close(OpenRow.parse(row), { outcome: "unknown", error: null, target: null }, nowMs);
  }

  /** @param keepFromMs  the oldest entry that an external store still needs; null for none */
  deleteOld(nowMs: number, keepFromMs: number | null): void {
    this.closeInterrupted(nowMs);
    const heldMs = keepFromMs ?? Number.MAX_SAFE_INTEGER;
    this.#sql.exec("DELETE FROM audit WHERE at_ms < ?", Math.min(nowMs - this.#keptMs, heldMs));
    for (const [is_change, max] of [
      [1, AUDIT_CHANGES_MAX],
      [0, AUDIT_ACCESS_MAX],
    ] as const)
      this.#sql.exec(
        `DELETE FROM audit WHERE is_change = ?1 AND at_ms < ?2 AND at_ms <=
          (SELECT at_ms FROM audit WHERE is_change = ?1 ORDER BY at_ms DESC LIMIT 1 OFFSET ?3)`,
        is_change,
        heldMs,
        max,
      );
  }

  /** Returns when the oldest row is due for deletion, unix ms; null if nothing is stored. */
  dueMs(): number | null {
    const { at_ms } = Time.parse(this.#sql.exec("SELECT min(at_ms) AS at_ms FROM audit").one());
    return at_ms === null ? null : at_ms + this.#keptMs;
  }

  #close({ id, change }: z.infer<typeof OpenRow>, outcome: AuditOutcome, nowMs: number): void {
    this.#sql.exec("DELETE FROM audit_open WHERE id = ?", id);
    this.#insert(change, outcome, nowMs);
  }

  /** Each entry has a time of its own, so that the times are the order of the changes. */
  #insert(change: Open, { outcome, error, target }: AuditOutcome, nowMs: number): void {
    const atMs = Math.max(nowMs, this.#newestMs + 1);
    const entry: AuditEntry = {
      id: newRequestId(atMs),
      timestamp: new Date(atMs).toISOString(),
      ...change,
      outcome,
      error,
      target: target ?? change.target,
    };
    this.#sql.exec(
      "INSERT INTO audit (at_ms, is_change, entry) VALUES (?, ?, ?)",
      atMs,
      isChange(entry) ? 1 : 0,
      JSON.stringify(entry),
    );
    this.#newestMs = atMs;
    this.#onEntry(entry, atMs);
  }
}
