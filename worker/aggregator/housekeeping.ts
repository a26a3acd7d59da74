/**
 * Housekeeping: retention of the ledger, the rollups and the samples, in bounded slices.
 *
 * Run by the Aggregator's alarm. Each slice is its own transaction, so housekeeping that is killed
 * in the middle continues where it stopped.
 */
import { DAY_MS } from "../../protocol/day.ts";
import type { Outbox } from "../export/outbox.ts";
import type { AuditLog } from "./audit-log.ts";
import type { CellStore } from "./cells.ts";
import { keepCosts } from "./cost-parts.ts";
import type { EnergyHours } from "./energy-hours.ts";
import type { EventStore } from "./events.ts";
import type { KeyHours } from "./key-hours.ts";
import type { Ledger } from "./ledger.ts";
import type { Moves } from "./moves.ts";
import type { SampleStore } from "./samples.ts";

/** The most that one alarm does before it lets waiting calls through and sets the next alarm. */
const SLICES_PER_ALARM = 20;
/** The pause before the next alarm if slices are left. */
const CONTINUE_MS = 100;
/** The shortest pause otherwise. An alarm is billed as a row write. */
export const ALARM_EVERY_MS = 3_600_000;
/** The longest pause: the number of ledger rows has no due time. */
export const ALARM_AT_LEAST_EVERY_MS = DAY_MS;

export type Stores = {
  ledger: Ledger;
  cells: CellStore;
  keyHours: KeyHours;
  samples: SampleStore;
  energyHours: EnergyHours;
  outbox: Outbox;
  moves: Moves;
  audit: AuditLog;
  events: EventStore;
};

/** @returns when housekeeping is due again, unix ms; null if nothing stored will ever expire */
export function keepHouse(
  storage: DurableObjectStorage,
  { ledger, cells, keyHours, samples, energyHours, outbox, moves, audit, events }: Stores,
  nowMs: number,
): number | null {
  const now = Math.floor(nowMs / 1_000);
  let slices = SLICES_PER_ALARM;
  const hasMore = (slice: () => boolean): boolean => {
    try {
      for (; slices > 0; slices--) if (!storage.transactionSync(slice)) return false;
      return true;
    } catch (error) {
      ledger.rolledBack();
      throw error;
    }
  };
  // Rows that an external store has not received yet are kept beyond their retention.
  const held = outbox.held();
  let refused = ledger.excessRefused();
  const hasMoreRefused = hasMore(() => {
    const forgotten = ledger.forgetRefusedSlice(refused, held.requestId);
    refused -= forgotten;
    return forgotten > 0;
  });
  // Refused calls go first, so that a flood of them pushes out no other row.
  let excess = hasMoreRefused ? 0 : ledger.excess();
  const isUnfinished =
    hasMoreRefused ||
    hasMore(() => {
      const forgotten = ledger.forgetSlice(nowMs, excess, held.requestId);
      excess -= forgotten;
      return forgotten > 0;
    }) ||
    hasMore(() => ledger.texts.eraseSlice(nowMs, held.requestId)) ||
    hasMore(() => cells.compactSlice(now));
  storage.transactionSync(() => {
    keepCosts(cells.oldHours(now), energyHours, nowMs);
    cells.deleteOldHours(now);
    keyHours.deleteOld(now);
  });
  energyHours.deleteOld(nowMs);
  samples.deleteOld(nowMs, held.samplesMs);
  audit.deleteOld(nowMs, held.samplesMs);
  events.deleteOld(nowMs);
  if (isUnfinished) return nowMs + CONTINUE_MS;
  const due = [ledger, cells, samples, energyHours, moves, audit, events, ledger.texts]
    .map((store) => store.dueMs(nowMs))
    .filter((at) => at !== null);
  if (due.length === 0) return null;
  return Math.max(nowMs + ALARM_EVERY_MS, Math.min(nowMs + ALARM_AT_LEAST_EVERY_MS, ...due));
}
