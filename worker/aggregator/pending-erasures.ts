/** How many times texts were overwritten that the log of the database may still contain. */
import { readMeta, writeMeta } from "../storage/meta.ts";

const PENDING = "erasures_pending";

export const pendingErasures = (sql: SqlStorage): number => readMeta(sql, PENDING) ?? 0;

/** Notes that texts were overwritten, in the transaction that does it. */
export const noteErasure = (sql: SqlStorage): void =>
  writeMeta(sql, PENDING, pendingErasures(sql) + 1);

/** Notes that this many are in no file any more. */
export const erasuresDone = (sql: SqlStorage, count: number): void =>
  writeMeta(sql, PENDING, pendingErasures(sql) - count);
