/**
 * Passes what the calls of keys with limits used to the objects that count it, once the records are in the
 * ledger. If that is lost on the way, the object reads it later: see `quota/key-quota.ts`.
 */
import { SPENDING } from "../../protocol/api/key-limits.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import type { Bindings } from "../env.ts";
import { type CallUse, useOf } from "../keys/call-use.ts";
import { type IssuedKey, lineageOf } from "../keys/policy.ts";
import { quotaOf } from "../quota/stub.ts";
import type { IssuedKeys } from "./issued-keys.ts";

type OfKey = Pick<RequestRecord, "request_id" | "key_id">;

/** The part of the ledger that this reads. */
type RecordsOfLedger = { records(ids: readonly string[]): { record: RequestRecord }[] };

export class KeyUses {
  readonly #ctx: DurableObjectState;
  readonly #env: Bindings;
  readonly #keys: IssuedKeys;
  readonly #ledger: RecordsOfLedger;

  constructor(
    ctx: DurableObjectState,
    env: Bindings,
    { issuedKeys, ledger }: { issuedKeys: IssuedKeys; ledger: RecordsOfLedger },
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#keys = issuedKeys;
    this.#ledger = ledger;
  }

  /** Returns what those calls used that have a record. */
  of(ids: readonly string[]): Record<string, CallUse> {
    const kept = this.#ledger.records(ids);
    return Object.fromEntries(kept.map(({ record }) => [record.request_id, useOf(record)]));
  }

  /** Passes on what calls used, whose records are in the ledger now. */
  pass(records: readonly OfKey[]): void {
    const calls = records.flatMap(({ request_id: id, key_id }) => {
      const key = key_id === null ? null : this.#keys.get(key_id);
      return key !== null && limitsSpending(key) ? [{ id, lineage: lineageOf(key) }] : [];
    });
    for (const [lineage, ids] of Map.groupBy(calls, (call) => call.lineage)) {
      const uses = this.of(ids.map(({ id }) => id));
      const passing = quotaOf(this.#env, lineage).settle(uses);
      this.#ctx.waitUntil(
        passing.catch((error: unknown) =>
          console.warn(JSON.stringify({ event: "uses_not_passed", lineage, why: String(error) })),
        ),
      );
    }
  }

  /** Forgets the counts of a key, unless another one shares them. */
  async forget(id: string): Promise<void> {
    const key = this.#keys.get(id);
    if (key === null) return;
    const lineage = lineageOf(key);
    const isShared = this.#keys.all().some((each) => each.id !== id && lineageOf(each) === lineage);
    if (!isShared) await quotaOf(this.#env, lineage).forget();
  }
}

const limitsSpending = ({ policy: { limits } }: IssuedKey): boolean =>
  limits !== null && SPENDING.some((unit) => limits[unit] !== null);
