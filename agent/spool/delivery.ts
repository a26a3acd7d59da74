/**
 * Delivery: sends finished requests from the spool to the ledger.
 *
 * One batch is in flight at a time. It is sent again until the edge confirms it, and the spool
 * keeps it until then. A record is on the disk as soon as its request ends, but leaves a moment
 * later: once its energy is known, or known to be unknown.
 */
import { type Frame, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { RECORDS_PER_BATCH, WITHHELD_MS } from "../../protocol/limits.ts";
import { Repeater } from "../clock/repeater.ts";
import type { After } from "../clock/timers.ts";
import type { EnergyMeter } from "../measure/energy.ts";
import type { Spool } from "./spool.ts";

/** Time that a finished record waits for others to join its batch. */
export const RECORDS_DELAY_MS = 50;
/** Time without a confirmation after which a batch is sent again. */
const RECORDS_RETRY_MS = 5_000;

export type DeliveryShell = {
  spool: Pick<Spool, "pending" | "next" | "confirm">;
  energy: Pick<EnergyMeter, "isSettled" | "energyOf">;
  /** Sends a frame to the edge if the tunnel is up. */
  send(frame: Frame): void;
  after: After;
  /** Time that a finished record waits for others to join its batch, ms. */
  delayMs: number;
};

export class Delivery {
  readonly #shell: DeliveryShell;
  readonly #repeater: Repeater;
  readonly #withheld = new Set<string>();
  /**
   * The spool may have records of requests that move on once the edge learns of their failure: those that
   * failed in this run, and all that an earlier one left.
   */
  #mayMove: boolean;
  /** All records wait, because the tunnel has just come up. */
  #isHeld = false;
  #ups = 0;
  #onDelivered: (() => void) | null = null;

  constructor(shell: DeliveryShell) {
    this.#shell = shell;
    this.#mayMove = shell.spool.pending > 0;
    this.#repeater = new Repeater(() => this.#sendBatch(), shell.after);
  }

  /** The tunnel is up. */
  up(): void {
    const up = ++this.#ups;
    this.#isHeld = this.#mayMove;
    this.#repeater.up();
    if (!this.#isHeld) return;
    this.#shell.after(WITHHELD_MS, () => {
      if (up !== this.#ups) return;
      this.#isHeld = false;
      this.recordWaits();
    });
  }

  down(): void {
    this.#repeater.down();
  }

  /**
   * A record is waiting in the spool, or its energy has become known: it leaves with the next
   * batch.
   */
  recordWaits(): void {
    if (this.#shell.spool.pending > 0) this.#repeater.within(this.#shell.delayMs);
  }

  /**
   * The record of this request waits, with those behind it, and again for {@link WITHHELD_MS} if the
   * tunnel was away: the edge may not have learned of the failure before.
   */
  withhold(id: string, ms: number): void {
    this.#mayMove = true;
    this.#withheld.add(id);
    this.#shell.after(ms, () => this.release(id));
  }

  /** The record of this request need not wait any more. */
  release(id: string): void {
    if (this.#withheld.delete(id)) this.recordWaits();
  }

  /** Everything up to this position is in the ledger. */
  confirmed(position: number): void {
    const { spool } = this.#shell;
    spool.confirm(position);
    if (spool.pending > 0) return this.#repeater.now();
    this.#mayMove = false;
    this.#repeater.rest();
    this.#onDelivered?.();
  }

  /** Resolves when the edge has every record. */
  delivered(): Promise<void> {
    this.#repeater.now();
    return new Promise((resolve) => {
      this.#onDelivered = resolve;
      if (this.#shell.spool.pending === 0) resolve();
    });
  }

  /** Sends the oldest records, including any that were sent before. Returns when to repeat that. */
  #sendBatch(): number | null {
    const { spool, energy } = this.#shell;
    if (this.#isHeld) return null;
    const batch = spool.next(
      RECORDS_PER_BATCH,
      (id) => energy.isSettled(id) && !this.#withheld.has(id),
    );
    if (batch === null) return null;
    const records = batch.records.map((record) => {
      const { joules = null, method = null } = energy.energyOf(record.request_id) ?? {};
      return { ...record, energy_j: joules, energy_method: method };
    });
    this.#shell.send(tunnelFrame(FrameType.records, { ...batch, records }));
    return RECORDS_RETRY_MS;
  }
}
