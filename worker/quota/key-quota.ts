/**
 * The count of a key, without a platform: storage, clock, Boxes and ledger are passed in. `quota.ts` passes
 * those of a Durable Object.
 *
 * A call counts before its Box passes it on, since the platform holds the answer back until what was
 * written before is durable. So no kill admits a call too many. A kill may lose the news that a call is
 * over, or what it used: before a call is refused for the sake of others, the Boxes and the ledger are
 * read again.
 */
import type { KeyLimits, LimitsLeft } from "../../protocol/api/key-limits.ts";
import { GRACE_MS } from "../../protocol/limits.ts";
import type { CallUse } from "../keys/call-use.ts";
import {
  admitted,
  endOfCall,
  KeyCount,
  type LimitReached,
  NO_COUNT,
  type OfferedCall,
  openByBox,
  settled,
  unsettled,
} from "../keys/limits.ts";
import { leftOf } from "../keys/limits-left.ts";

export type KeyQuotaShell = {
  /** The storage of the platform that is read and written at once. */
  kept: { get(name: string): unknown; put(name: string, value: KeyCount): void };
  /** Returns which of these calls have a stream at a Box, and which are over. */
  callsOf(box: string, ids: readonly string[]): Promise<{ held: string[]; over: string[] }>;
  /** Returns what those calls used that have a record. */
  usesOf(ids: readonly string[]): Promise<Record<string, CallUse>>;
  now(): number;
  /** By a clock that nobody sets, unlike `now`. */
  wait(ms: number): Promise<void>;
  /** Lets a promise run beside the current call. */
  meanwhile(promise: Promise<unknown>): void;
};

/** The name in the storage. */
const COUNT = "count";

/** Nobody waits longer for a Box or the ledger. */
const READ_WITHIN_MS = 1_000;

/** A record arrives earlier, unless its agent or the Aggregator was killed. */
const RECORDED_WITHIN_MS = 10_000;

export class KeyQuota {
  readonly #shell: KeyQuotaShell;
  #known: KeyCount | null = null;
  #updating: Promise<void> | null = null;
  #updatedMs = 0;
  /**
   * The open calls that their Boxes do not have. Such a call is over if it does not attach again within the
   * grace period. A kill of this object begins that time again, since the storage has no clock to trust.
   */
  readonly #missing = new Map<string, { isOver: boolean }>();

  constructor(shell: KeyQuotaShell) {
    this.#shell = shell;
  }

  /** Admits a call, which counts from now on, or returns the limit that it would exceed. */
  async admit(call: OfferedCall, limits: KeyLimits): Promise<LimitReached | null> {
    const reached = this.#admit(call, limits);
    if (reached === null) {
      this.#updateBeside();
      return null;
    }
    // Only what is still open or has no record yet may have changed.
    if (reached.resetMs !== null) return reached;
    if (this.#updating !== null) await this.#updating; // it may have begun before a call was over
    await this.#update(0);
    return this.#admit(call, limits);
  }

  /** A call is over at this box. */
  end(id: string, box: string): void {
    this.#put(endOfCall(this.#count, id, box, this.#shell.now()));
  }

  /** Takes what calls used, by the ledger. Each counts once, however often it comes. */
  settle(uses: Record<string, CallUse>): void {
    let count = this.#count;
    for (const [id, use] of Object.entries(uses)) count = settled(count, id, use);
    this.#put(count);
  }

  left(limits: KeyLimits): LimitsLeft {
    return leftOf(this.#count, limits, this.#shell.now());
  }

  /** The storage is empty. */
  forget(): void {
    this.#known = null;
  }

  #admit(call: OfferedCall, limits: KeyLimits): LimitReached | null {
    this.#missing.delete(call.id);
    const { count, reached } = admitted(this.#count, limits, call, this.#shell.now());
    this.#put(count);
    return reached;
  }

  /** Reads records that are late, beside the call. */
  #updateBeside(): void {
    const { now, meanwhile } = this.#shell;
    const nowMs = now();
    const isRead = Math.abs(nowMs - this.#updatedMs) <= RECORDED_WITHIN_MS;
    if (!isRead && unsettled(this.#count, RECORDED_WITHIN_MS, nowMs).length > 0)
      meanwhile(this.#update(RECORDED_WITHIN_MS));
  }

  /**
   * Reads from the Boxes which open calls are over, and from the ledger what those used that ended this long
   * ago. Once for all that wait. An object that does not answer changes nothing.
   */
  #update(agoMs: number): Promise<void> {
    this.#updating ??= this.#read(agoMs).finally(() => {
      this.#updating = null;
      this.#updatedMs = this.#shell.now();
    });
    return this.#updating;
  }

  async #read(agoMs: number): Promise<void> {
    const { callsOf, usesOf, now } = this.#shell;
    await Promise.all(
      [...openByBox(this.#count)].map(async ([box, ids]) => {
        const calls = await this.#inTime(callsOf(box, ids));
        if (calls === null) return;
        const over = ids.filter((id) => calls.over.includes(id) || this.#isLost(id, calls.held));
        for (const id of over) this.#put(endOfCall(this.#count, id, box, now()));
      }),
    );
    const ids = unsettled(this.#count, agoMs, now());
    if (ids.length > 0) this.settle((await this.#inTime(usesOf(ids))) ?? {});
  }

  /** Returns whether a call has been missing for the grace period. @param held  the calls that its Box has */
  #isLost(id: string, held: readonly string[]): boolean {
    const known = this.#missing.get(id);
    if (held.includes(id) || known?.isOver) {
      this.#missing.delete(id);
      return known?.isOver === true && !held.includes(id);
    }
    if (known === undefined) this.#awaitReturn(id);
    return false;
  }

  #awaitReturn(id: string): void {
    const missing = { isOver: false };
    this.#missing.set(id, missing);
    const { wait, meanwhile } = this.#shell;
    const over = wait(GRACE_MS).then(() => {
      missing.isOver = true;
      return this.#missing.get(id) === missing ? this.#update(0) : undefined;
    });
    meanwhile(over);
  }

  /** Returns null for an answer that fails or does not come in time. */
  #inTime<Answer>(answer: Promise<Answer>): Promise<Answer | null> {
    const tooLate = this.#shell.wait(READ_WITHIN_MS).then(() => null);
    return Promise.race([answer.catch(() => null), tooLate]);
  }

  get #count(): KeyCount {
    if (this.#known !== null) return this.#known;
    const kept = this.#shell.kept.get(COUNT);
    this.#known = kept === undefined ? NO_COUNT : KeyCount.parse(kept);
    return this.#known;
  }

  #put(count: KeyCount): void {
    if (count === this.#known) return;
    this.#shell.kept.put(COUNT, count);
    this.#known = count;
  }
}
