/**
 * Delivery: finished requests on their way from the spool to the ledger.
 *
 * One batch is out at a time; it is sent again until the edge confirms it, and the spool keeps it
 * until then. A record leaves when its energy is known, or known to be unknown: a moment after its
 * request is over. On the disk it is at once, without it.
 */
import { type Frame, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { RECORDS_PER_BATCH } from "../../protocol/limits.ts";
import type { After } from "../clock/timers.ts";
import type { EnergyMeter } from "../measure/energy.ts";
import type { Spool } from "./spool.ts";

/** Finished records wait this long for company. */
export const RECORDS_DELAY_MS = 50;
/** No confirmation for this long: send again. */
const RECORDS_RETRY_MS = 5_000;

export type DeliveryShell = {
  spool: Spool;
  energy: Pick<EnergyMeter, "isSettled" | "joulesOf">;
  /** To the edge, if there is a way. */
  send(frame: Frame): void;
  after: After;
  /** How long finished records wait for company, ms. */
  delayMs: number;
};

export class Delivery {
  readonly #shell: DeliveryShell;
  #isUp = false;
  #forgetTimer: (() => void) | null = null;
  #whenDelivered: (() => void) | null = null;

  constructor(shell: DeliveryShell) {
    this.#shell = shell;
  }

  /** The tunnel is up. */
  up(): void {
    this.#isUp = true;
    this.send();
  }

  down(): void {
    this.#isUp = false;
    this.#stopTimer();
  }

  /** A record waits in the spool, or its energy is known now: it leaves with the next batch. */
  recordWaits(): void {
    if (this.#isUp && this.#shell.spool.pending > 0)
      this.#forgetTimer ??= this.#shell.after(this.#shell.delayMs, () => this.send());
  }

  /** Sends the oldest records, also if they were sent before. */
  send(): void {
    this.#stopTimer();
    if (!this.#isUp) return;
    const { spool, energy } = this.#shell;
    const batch = spool.next(RECORDS_PER_BATCH, (id) => energy.isSettled(id));
    if (batch === null) return;
    const records = batch.records.map((record) => ({
      ...record,
      energy_j: energy.joulesOf(record.request_id),
    }));
    this.#shell.send(tunnelFrame(FrameType.records, { ...batch, records }));
    this.#forgetTimer = this.#shell.after(RECORDS_RETRY_MS, () => this.send());
  }

  /** Everything up to this position is in the ledger. */
  confirmed(position: number): void {
    const { spool } = this.#shell;
    spool.confirm(position);
    this.#stopTimer();
    if (spool.pending > 0) this.send();
    else this.#whenDelivered?.();
  }

  /** Resolves when the edge has every record. */
  delivered(): Promise<void> {
    this.send();
    return new Promise((resolve) => {
      this.#whenDelivered = resolve;
      if (this.#shell.spool.pending === 0) resolve();
    });
  }

  #stopTimer(): void {
    this.#forgetTimer?.();
    this.#forgetTimer = null;
  }
}
