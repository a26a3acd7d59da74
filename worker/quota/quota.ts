/**
 * Quota: one Durable Object for each key with limits, and for the keys that replace it. It counts what the
 * key does on all boxes.
 *
 * A thin shell around {@link KeyQuota}, which decides everything.
 */
import { DurableObject } from "cloudflare:workers";
import type { KeyLimits, LimitsLeft } from "../../protocol/api/key-limits.ts";
import type { Bindings } from "../env.ts";
import type { CallUse } from "../keys/call-use.ts";
import type { LimitReached, OfferedCall } from "../keys/limits.ts";
import { KeyQuota, type KeyQuotaShell } from "./key-quota.ts";

/** The parts of the Box and the Aggregator that this object needs. Their rooms are above this one. */
type KnowsCalls = {
  callsOf(ids: readonly string[]): ReturnType<KeyQuotaShell["callsOf"]>;
};
type KnowsUses = Pick<KeyQuotaShell, "usesOf">;

export class Quota extends DurableObject<Bindings> {
  readonly #core: KeyQuota;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const { BOX, AGGREGATOR } = env;
    this.#core = new KeyQuota({
      kept: ctx.storage.kv,
      callsOf: (box, ids) => (BOX.getByName(box) as unknown as KnowsCalls).callsOf(ids),
      usesOf: (ids) => (AGGREGATOR.getByName("aggregator") as unknown as KnowsUses).usesOf(ids),
      now: Date.now,
      wait: (ms) => scheduler.wait(ms),
      meanwhile: (promise) => ctx.waitUntil(promise),
    });
  }

  /** Admits a call, which counts from now on, or returns the limit that it would exceed. */
  admit(call: OfferedCall, limits: KeyLimits): Promise<LimitReached | null> {
    return this.#core.admit(call, limits);
  }

  /** A call is over at this box. */
  end(id: string, box: string): void {
    this.#core.end(id, box);
  }

  /** Takes what calls used, by the ledger. */
  settle(uses: Record<string, CallUse>): void {
    this.#core.settle(uses);
  }

  left(limits: KeyLimits): LimitsLeft {
    return this.#core.left(limits);
  }

  /** The last key that is counted here was deleted. */
  async forget(): Promise<void> {
    await this.ctx.storage.deleteAll();
    this.#core.forget();
  }
}
