/** One receiver of records: what a delivery needs to send them, and to send them again. */
import type { SinkName } from "../../protocol/stores.ts";
import type { AnyRow, Kind, Rows } from "./rows.ts";

/** Rows that are taken together or not at all. A retry has the same id and the same rows. */
export type Batch = { id: string } & Rows;

/** The parts of a receiver to delete. */
export type Clearing = { logs: boolean; metrics: boolean };
/** How many rows were deleted. */
export type ClearedRows = { logs: number; metrics: number };

export interface Sink {
  readonly name: SinkName;
  /** True if a row that arrives again in another batch still counts once, also in the sums. */
  readonly countsOnce: boolean;
  /** The rows that it takes; all of them if there is no such list. Others pass it by. */
  readonly kinds?: readonly Kind[];
  /** Returns how many bytes a row adds to a request. */
  bytesOf(row: AnyRow): number;
  /** @throws {StoreError} `schema`, if it cannot take what this version sends. */
  check(): Promise<void>;
  /**
   * May be called again with the same batch, which counts once.
   * @param refuse  called if some rows were refused and the others were taken
   * @throws {StoreError}
   */
  insert(batch: Batch, refuse: Refuse): Promise<void>;
  /** Missing if nothing that was sent can be deleted. @throws {StoreError} */
  clear?(what: Clearing): Promise<ClearedRows>;
  /** Deletes rows past their retention. @throws {StoreError} */
  deleteOld?(): Promise<void>;
}

export type Refuse = (rows: number, message: string) => void;
