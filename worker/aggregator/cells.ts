/**
 * Cells in storage: sums of each model on each box, over all time and by minute or hour.
 *
 * The minutes since the last checkpoint are in memory, see {@link Counters}.
 */
import * as z from "zod";
import { Cell, type KeyedCell, sumOf } from "../counting/cell.ts";

export const MINUTE_SECONDS = 60;
export const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
export const MINUTE_CELLS_KEPT_DAYS = 7;
export const HOUR_CELLS_KEPT_DAYS = 90;
/**
 * Minutes become hours one hour later, so a range of seven days consists of minutes to its first
 * bucket.
 */
const MINUTES_KEPT_SECONDS = MINUTE_CELLS_KEPT_DAYS * DAY_SECONDS + HOUR_SECONDS;
/** Hours are deleted one day later, so the coarsest bucket of the longest range is complete. */
const HOURS_KEPT_SECONDS = HOUR_CELLS_KEPT_DAYS * DAY_SECONDS + DAY_SECONDS;

export type CellFilter = { model?: string | undefined; box?: string | undefined };
export type KeyFilter = CellFilter & { key?: string | undefined };

/** Rows in one slice of housekeeping. */
const SLICE_ROWS = 500;

export type RollupCell = KeyedCell & {
  /** Length in seconds. */
  step: number;
  /** Start, unix seconds. */
  at: number;
};

const Blob = z.instanceof(ArrayBuffer).transform((bytes) => Cell.decode(new Uint8Array(bytes)));
const Lifetime = z.object({ model: z.string(), box: z.string(), cell: Blob });
const Rollup = Lifetime.extend({ step: z.number(), at: z.number() });
const JustCell = z.object({ cell: Blob });
const Summary = z.object({
  rows: z.number(),
  oldest: z.number().nullable(),
  newest: z.number().nullable(),
});
const Oldest = z.object({ at: z.number().nullable() });

export class CellStore {
  readonly #sql: SqlStorage;
  /** Minutes that storage has not got yet. They add to those that it has. */
  readonly #pending = new Map<string, RollupCell>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  lifetime(): KeyedCell[] {
    return this.#sql
      .exec("SELECT model, box, cell FROM lifetime")
      .toArray()
      .map((row) => Lifetime.parse(row));
  }

  putLifetime({ model, box, cell }: KeyedCell): void {
    this.#sql.exec(
      "INSERT INTO lifetime (model, box, cell) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET cell = excluded.cell",
      model,
      box,
      cell.encode().buffer,
    );
  }

  /** Adds to a minute, in memory. */
  addPending(minute: RollupCell): void {
    const { step, at, model, box, cell } = minute;
    const key = JSON.stringify([at, model, box]);
    const sum = this.#pending.get(key);
    if (sum === undefined) this.#pending.set(key, { step, at, model, box, cell: sumOf([cell]) });
    else sum.cell.merge(cell);
  }

  /** Writes the minutes in memory, and more. */
  storePending(more: readonly RollupCell[]): void {
    for (const minute of [...this.#pending.values(), ...more]) this.addRollup(minute);
  }

  /** Storage has them. */
  forgetPending(): void {
    this.#pending.clear();
  }

  /** Adds to the cell of a minute or an hour. */
  addRollup({ step, at, model, box, cell }: RollupCell): void {
    const key = [step, at, model, box];
    const [row] = this.#sql
      .exec("SELECT cell FROM rollup WHERE step = ? AND at = ? AND model = ? AND box = ?", ...key)
      .toArray();
    const sum = row === undefined ? new Cell() : JustCell.parse(row).cell;
    sum.merge(cell);
    this.#sql.exec(
      `INSERT INTO rollup (step, at, model, box, cell) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET cell = excluded.cell`,
      ...key,
      sum.encode().buffer,
    );
  }

  /**
   * Yields the cells of both steps that begin in [from, to), unix seconds; those of one minute add up.
   * Lazy: a long range is never in memory as a whole.
   */
  *rollups(from: number, to: number, { model, box }: CellFilter = {}): Generator<RollupCell> {
    const rows = this.#sql.exec(
      `SELECT step, at, model, box, cell FROM rollup
        WHERE step IN (${MINUTE_SECONDS}, ${HOUR_SECONDS}) AND at >= ?1 AND at < ?2
       AND (?3 IS NULL OR model = ?3) AND (?4 IS NULL OR box = ?4)`,
      from,
      to,
      model ?? null,
      box ?? null,
    );
    for (const row of rows) yield Rollup.parse(row);
    for (const cell of this.#pending.values())
      if (
        cell.at >= from &&
        cell.at < to &&
        (model === undefined || cell.model === model) &&
        (box === undefined || cell.box === box)
      )
        yield cell;
  }

  /** Deletes all cells. @returns how many minutes and hours there were */
  clear(): number {
    const { rows } = this.summary();
    this.#sql.exec("DELETE FROM lifetime");
    this.#sql.exec("DELETE FROM rollup");
    return rows;
  }

  /**
   * Returns the number of minutes and hours, and when the first and the last begin, unix seconds.
   */
  summary(): z.infer<typeof Summary> {
    return Summary.parse(
      this.#sql
        .exec("SELECT count(*) AS rows, min(at) AS oldest, max(at) AS newest FROM rollup")
        .one(),
    );
  }

  /**
   * Turns one slice of old minutes into hours. A slice may end within an hour, since hours add up.
   * @returns whether more may be left
   */
  compactSlice(now: number): boolean {
    const rows = this.#sql.exec(
      "SELECT step, at, model, box, cell FROM rollup WHERE step = ? AND at < ? ORDER BY at, model, box LIMIT ?",
      MINUTE_SECONDS,
      now - MINUTES_KEPT_SECONDS,
      SLICE_ROWS,
    );
    const minutes = rows.toArray().map((row) => Rollup.parse(row));
    const hours = new Map<string, RollupCell>();
    for (const { at, model, box, cell } of minutes) {
      const hour = at - (at % HOUR_SECONDS);
      const key = JSON.stringify([hour, model, box]);
      const sum = hours.get(key) ?? { step: HOUR_SECONDS, at: hour, model, box, cell: new Cell() };
      sum.cell.merge(cell);
      hours.set(key, sum);
      this.#sql.exec(
        "DELETE FROM rollup WHERE step = ? AND at = ? AND model = ? AND box = ?",
        MINUTE_SECONDS,
        at,
        model,
        box,
      );
    }
    for (const hour of hours.values()) this.addRollup(hour);
    return minutes.length === SLICE_ROWS;
  }

  /** Returns the hours that {@link deleteOldHours} deletes. */
  oldHours(now: number): RollupCell[] {
    return this.#sql
      .exec(
        "SELECT step, at, model, box, cell FROM rollup WHERE step = ? AND at < ?",
        HOUR_SECONDS,
        now - HOURS_KEPT_SECONDS,
      )
      .toArray()
      .map((row) => Rollup.parse(row));
  }

  deleteOldHours(now: number): void {
    this.#sql.exec(
      "DELETE FROM rollup WHERE step = ? AND at < ?",
      HOUR_SECONDS,
      now - HOURS_KEPT_SECONDS,
    );
  }

  /** Returns when the oldest row is due, unix ms; null if nothing is stored. */
  dueMs(): number | null {
    const minute = this.#oldest(MINUTE_SECONDS);
    const hour = this.#oldest(HOUR_SECONDS);
    const due = [minute && minute + MINUTES_KEPT_SECONDS, hour && hour + HOURS_KEPT_SECONDS].filter(
      (at) => at !== null,
    );
    return due.length === 0 ? null : Math.min(...due) * 1_000;
  }

  #oldest(step: number): number | null {
    return Oldest.parse(
      this.#sql.exec("SELECT min(at) AS at FROM rollup WHERE step = ?", step).one(),
    ).at;
  }
}
