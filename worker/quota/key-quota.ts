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
  found,
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
        if (calls !== null) this.#put(found(this.#count, { box, ids, ...calls }, GRACE_MS, now()));
      }),
    );
    const ids = unsettled(this.#count, agoMs, now());
    if (ids.length > 0) this.settle((await this.#inTime(usesOf(ids))) ?? {});
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
