/**
 * Sums of requests by key, by hour and over all time. A row has all keys of an hour, and is written
 * with the counters, see {@link Counters}. Later requests are in memory.
 */
import * as z from "zod";
import {
  countedPair,
  decodeKeyCells,
  encodeKeyCells,
  type KeyCell,
  mergeKeyCells,
  nameOfKeyCell,
} from "../counting/key-cells.ts";
import { readMeta, writeMeta } from "../storage/meta.ts";
import { HOUR_CELLS_KEPT_DAYS, HOUR_SECONDS, type KeyFilter } from "./cells.ts";

/** `at`: start of the hour, unix seconds. */
export type KeyHour = KeyCell & { at: number };

/** The hour under which the sums over all time are stored. */
const ALL_TIME = 0;

const SINCE = "key_hours_since_ms";

const KEPT_SECONDS = (HOUR_CELLS_KEPT_DAYS + 1) * 24 * HOUR_SECONDS;

const Row = z.object({
  at: z.number(),
  cells: z.instanceof(ArrayBuffer).transform((bytes) => decodeKeyCells(new Uint8Array(bytes))),
});

export class KeyHours {
  readonly #sql: SqlStorage;
  readonly #allTime = new Map<string, KeyCell>();
  /** Hours that storage has not got yet. They add to those that it has. */
  readonly #pending = new Map<number, Map<string, KeyCell>>();
  /** When counting by key began, unix ms. */
  readonly sinceMs: number;

  constructor(sql: SqlStorage, nowMs: number) {
    this.#sql = sql;
    for (const { cells } of this.#rows(ALL_TIME, ALL_TIME + 1)) mergeKeyCells(this.#allTime, cells);
    const sinceMs = readMeta(sql, SINCE);
    this.sinceMs = sinceMs ?? nowMs;
    if (sinceMs === null) writeMeta(sql, SINCE, nowMs);
  }

  /** Returns the sums over all time and boxes, of one key if it is named. Do not change them. */
  allTime(key?: string): KeyCell[] {
    return [...this.#allTime.values()].filter((cell) => key === undefined || cell.key === key);
  }

  /** Adds in memory. */
  add(hours: readonly KeyHour[]): void {
    for (const { at, ...cell } of this.#named(hours)) {
      const pending = this.#pending.get(at) ?? new Map<string, KeyCell>();
      mergeKeyCells(pending, [cell]);
      this.#pending.set(at, pending);
      mergeKeyCells(this.#allTime, [{ ...cell, box: "" }]);
    }
  }

  /** Writes the hours in memory, and more. */
  store(hours: readonly KeyHour[]): void {
    const more = this.#named(hours);
    const waiting = [...this.#pending].flatMap(([at, cells]) =>
      Array.from(cells.values(), (cell) => ({ ...cell, at })),
    );
    if (waiting.length + more.length === 0) return;
    for (const [at, cells] of Map.groupBy([...waiting, ...more], (hour) => hour.at)) {
      const sums = new Map<string, KeyCell>();
      for (const row of this.#rows(at, at + 1)) mergeKeyCells(sums, row.cells);
      mergeKeyCells(sums, cells);
      this.#put(at, sums.values());
    }
    const allTime = new Map<string, KeyCell>();
    mergeKeyCells(allTime, this.#allTime.values());
    mergeKeyCells(
      allTime,
      more.map((cell) => ({ ...cell, box: "" })),
    );
    this.#put(ALL_TIME, allTime.values());
  }

  /** Storage has them. */
  forgetPending(): void {
    this.#pending.clear();
  }

  /** Yields the cells of the hours that begin in [from, to), unix seconds; those of one hour add up. */
  *cells(from: number, to: number, { key, model, box }: KeyFilter = {}): Generator<KeyHour> {
    const isWanted = (cell: KeyCell) =>
      (key === undefined || cell.key === key) &&
      (model === undefined || cell.model === model) &&
      (box === undefined || cell.box === box);
    for (const { at, cells } of this.#rows(Math.max(from, ALL_TIME + 1), to))
      for (const cell of cells) if (isWanted(cell)) yield { ...cell, at };
    for (const [at, cells] of this.#pending)
      if (at >= from && at < to)
        for (const cell of cells.values()) if (isWanted(cell)) yield { ...cell, at };
  }

  /** Deletes everything in storage. Call {@link forget} after the transaction. */
  clear(): void {
    this.#sql.exec("DELETE FROM key_hours");
  }

  forget(): void {
    this.#pending.clear();
    this.#allTime.clear();
  }

  deleteOld(now: number): void {
    this.#sql.exec("DELETE FROM key_hours WHERE at > ? AND at < ?", ALL_TIME, now - KEPT_SECONDS);
  }

  #put(at: number, cells: Iterable<KeyCell>): void {
    const blobs = encodeKeyCells(cells);
    for (const [part, { buffer }] of blobs.entries())
      this.#sql.exec(
        `INSERT INTO key_hours (at, part, cells) VALUES (?, ?, ?)
          ON CONFLICT DO UPDATE SET cells = excluded.cells`,
        at,
        part,
        buffer,
      );
    this.#sql.exec("DELETE FROM key_hours WHERE at = ? AND part >= ?", at, blobs.length);
  }

  *#rows(from: number, to: number): Generator<z.infer<typeof Row>> {
    const sql = "SELECT at, cells FROM key_hours WHERE at >= ? AND at < ? ORDER BY at, part";
    for (const row of this.#sql.exec(sql, from, to)) yield Row.parse(row);
  }

  #named(hours: readonly KeyHour[]): KeyHour[] {
    const isKnown = (pair: Pick<KeyCell, "key" | "model">) =>
      this.#allTime.has(nameOfKeyCell({ ...pair, box: "" }));
    return hours.map((hour) => ({ ...hour, ...countedPair(hour, this.#allTime.size, isKnown) }));
  }
}
