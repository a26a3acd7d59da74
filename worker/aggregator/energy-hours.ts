/**
 * The energy of boxes by hour, and the requests of hours whose cells have been deleted, for 13 months.
 *
 * One row holds what a box has closed at a time: normally one hour. An hour may be in several rows, which
 * add up: readings of a box that was cut off belong to hours that were closed before.
 */

import * as z from "zod";
import { DAY_MS } from "../../protocol/day.ts";
import { EnergyHour } from "../counting/energy-hours.ts";
import { RequestSums } from "../counting/request-sums.ts";
import type { EnergyBatch } from "../export/rows.ts";
import { jsonText } from "../storage/json-text.ts";

/** A year and a month. */
export const ENERGY_HOURS_KEPT_DAYS = 400;
const KEPT_MS = ENERGY_HOURS_KEPT_DAYS * DAY_MS;

export const HourRequests = RequestSums.extend({
  /** Start of the hour, unix seconds. */
  at: z.number(),
  model: z.string(),
});
export type HourRequests = z.infer<typeof HourRequests>;

const Row = z.object({
  box: z.string(),
  hours: jsonText(z.array(EnergyHour)),
  requests: jsonText(z.array(HourRequests)),
});
export type ClosedHours = z.infer<typeof Row>;
const BATCHES = `SELECT at_ms, box, hours, hello ->> '$.simulated' AS simulated
  FROM energy_hours LEFT JOIN boxes ON name = box`;
const BatchRow = Row.omit({ requests: true }).extend({
  at_ms: z.number(),
  simulated: z
    .literal([0, 1])
    .transform((value) => value === 1)
    .nullable(),
});
const Oldest = z.object({ at_ms: z.number().nullable() });

export class EnergyHours {
  readonly #sql: SqlStorage;
  readonly #currency: () => string | null;

  /** @param currency  returns the currency of all costs */
  constructor(sql: SqlStorage, currency: () => string | null) {
    this.#sql = sql;
    this.#currency = currency;
  }

  /** Stores hours that are over. @returns the batch, for the outbox */
  close(nowMs: number, box: string, hours: readonly EnergyHour[]): EnergyBatch {
    const atMs = this.#free(nowMs, box);
    this.#sql.exec(
      "INSERT INTO energy_hours (at_ms, box, hours) VALUES (?, ?, ?)",
      atMs,
      box,
      JSON.stringify(hours),
    );
    return this.of(atMs, box);
  }

  /** Returns the hours that a box closed at a time; none if they are gone. */
  of(atMs: number, box: string): EnergyBatch {
    const [row] = this.#sql.exec(`${BATCHES} WHERE at_ms = ? AND box = ?`, atMs, box).toArray();
    return row === undefined
      ? { atMs, box, hours: [], currency: null, simulated: null }
      : this.#batchOf(row);
  }

  /** Yields all closed hours, oldest first. */
  *batches(): Generator<EnergyBatch> {
    for (const row of this.#sql.exec(`${BATCHES} ORDER BY at_ms, box`)) yield this.#batchOf(row);
  }

  #batchOf(row: unknown): EnergyBatch {
    const { at_ms: atMs, box, hours, simulated } = BatchRow.parse(row);
    return { atMs, box, hours, currency: this.#currency(), simulated };
  }

  /** Stores the sums of requests, before their cells are deleted. */
  keepRequests(atMs: number, box: string, requests: readonly HourRequests[]): void {
    this.#sql.exec(
      "INSERT INTO energy_hours (at_ms, box, hours, requests) VALUES (?, ?, '[]', ?)",
      this.#free(atMs, box),
      box,
      JSON.stringify(requests),
    );
  }

  /** Yields the rows that may contain hours that began at a time or later. */
  *since(fromMs: number): Generator<ClosedHours> {
    // A row is never older than its hours.
    const rows = this.#sql.exec(
      "SELECT box, hours, requests FROM energy_hours WHERE at_ms >= ?",
      fromMs,
    );
    for (const row of rows) yield Row.parse(row);
  }

  clear(): void {
    this.#sql.exec("DELETE FROM energy_hours");
  }

  deleteOld(nowMs: number): void {
    this.#sql.exec("DELETE FROM energy_hours WHERE at_ms < ?", nowMs - KEPT_MS);
  }

  /** Returns when the oldest row is due for deletion, unix ms; null if nothing is stored. */
  dueMs(): number | null {
    const sql = "SELECT min(at_ms) AS at_ms FROM energy_hours";
    const { at_ms } = Oldest.parse(this.#sql.exec(sql).one());
    return at_ms === null ? null : at_ms + KEPT_MS;
  }

  /** Returns the first time from `atMs` on at which this box has no row. */
  #free(atMs: number, box: string): number {
    const has = (ms: number) =>
      this.#sql.exec("SELECT 1 FROM energy_hours WHERE at_ms = ? AND box = ?", ms, box).toArray()
        .length > 0;
    let free = atMs;
    while (has(free)) free++;
    return free;
  }
}
