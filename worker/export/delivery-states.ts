/** The state of each delivery in storage, which survives restarts of the object. */
import * as z from "zod";
import type { SinkName } from "../../protocol/stores.ts";
import { jsonText } from "../storage/json-text.ts";
import { Cursor } from "./outbox.ts";
import { TAIL_ENTRIES_MAX, TAIL_MS } from "./outbox-tail.ts";

const timeMs = z.number().nullable();

export const DeliveryState = z.object({
  /** False for a store that was removed from the settings. It holds nothing back. */
  is_configured: z.boolean(),
  cursor: Cursor,
  /** Entries before this position may have been sent as batches of their own, by an object that was killed. */
  alone_before: z.number().default(0),
  /**
   * The batch that is being sent, from the cursor on. Kept before the first attempt and repeated
   * unchanged.
   */
  batch: z
    .object({
      id: z.uuid(),
      kind: z.enum(["requests", "gpu_samples", "system_samples", "energy_hours", "audit_log"]),
      items: z.int().positive(),
    })
    .nullable(),
  /** The parts of the store to delete before new rows are written to it. */
  clearing: z.object({ logs: z.boolean(), metrics: z.boolean() }),
  /** Consecutive failed attempts. */
  failures: z.int(),
  retry_at_ms: timeMs,
  last_success_ms: timeMs,
  last_error: z.object({ at_ms: z.number(), message: z.string() }).nullable(),
  /** Counts of records. */
  delivered: z.int(),
  dropped: z.int(),
  last_dropped_ms: timeMs,
  set_aside: z.int(),
  last_set_aside: z.object({ at_ms: z.number(), message: z.string() }).nullable(),
});
export type DeliveryState = z.infer<typeof DeliveryState>;

/**
 * Deliveries in memory, and their age: half of the tail may wait for one. They are sent again after a crash,
 * and stores drop them.
 */
const DELIVERIES_MAX = TAIL_ENTRIES_MAX / 2;
const STORED_AFTER_MS = TAIL_MS / 2;

const Row = z.object({ name: z.string(), state: jsonText(DeliveryState) });

export class DeliveryStates {
  readonly #sql: SqlStorage;
  readonly #states = new Map<string, DeliveryState>();
  readonly #unstored = new Map<string, { deliveries: number; sinceMs: number }>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.read();
  }

  get(name: SinkName): DeliveryState | null {
    return this.#states.get(name) ?? null;
  }

  all(): [name: string, state: DeliveryState][] {
    return [...this.#states];
  }

  put(name: string, state: DeliveryState): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO sinks (name, state) VALUES (?, ?)",
      name,
      JSON.stringify(state),
    );
    this.#states.set(name, state);
  }

  /** Changes a state in memory. Storage need not have it. */
  putInMemory(name: string, state: DeliveryState): void {
    this.#states.set(name, state);
  }

  /** Changes a state by a delivery. Storage gets it with {@link store}, or with the next {@link put}. */
  deliver(name: string, state: DeliveryState, nowMs: number): void {
    this.#states.set(name, state);
    const { deliveries, sinceMs } = this.#unstored.get(name) ?? { deliveries: 0, sinceMs: nowMs };
    this.#unstored.set(name, { deliveries: deliveries + 1, sinceMs: Math.min(sinceMs, nowMs) });
  }

  /** Returns when the deliveries in memory should be stored, unix ms; null without any. */
  dueMs(): number | null {
    const due = [...this.#unstored.values()].map(({ deliveries, sinceMs }) =>
      deliveries < DELIVERIES_MAX ? sinceMs + STORED_AFTER_MS : 0,
    );
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Stores the deliveries in memory, in a transaction. Call {@link stored} after it. */
  store(): void {
    for (const name of this.#unstored.keys()) {
      const state = this.#states.get(name);
      if (state !== undefined) this.put(name, state);
    }
  }

  stored(): void {
    this.#unstored.clear();
  }

  /** Reads the states again, after a transaction that was rolled back. */
  read(): void {
    this.#states.clear();
    for (const row of this.#sql.exec("SELECT name, state FROM sinks")) {
      const { name, state } = Row.parse(row);
      this.#states.set(name, state);
    }
  }
}

export const newDeliveryState = (cursor: Cursor): DeliveryState => ({
  is_configured: true,
  cursor,
  alone_before: 0,
  batch: null,
  clearing: { logs: false, metrics: false },
  failures: 0,
  retry_at_ms: null,
  last_success_ms: null,
  last_error: null,
  delivered: 0,
  dropped: 0,
  last_dropped_ms: null,
  set_aside: 0,
  last_set_aside: null,
});

export type Refused = { rows: number; message: string };

/** Returns the fields of a state after rows were refused and given up. */
export const setAsideOf = (
  { set_aside }: DeliveryState,
  { rows, message }: Refused,
  at_ms: number,
): Pick<DeliveryState, "set_aside" | "last_set_aside"> => ({
  set_aside: set_aside + rows,
  last_set_aside: { at_ms, message },
});
