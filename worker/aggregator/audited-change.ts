/**
 * Makes a change of what the Aggregator keeps together with its entry in the audit log: storage gets both, or
 * neither.
 */
import type { AuditOutcome } from "./audit-log.ts";
import type { AggregatorStores } from "./stores.ts";
import type { Wakes } from "./wakes.ts";

/**
 * The call that makes a change, by its id, which is also that of its open change; null if nobody audits it.
 */
export type ChangingCall = string | null;

export type AuditedWish<Result> = {
  call: ChangingCall;
  /** The id of a thing that is made; null: the target is the one in the call. */
  target?: string | null;
  /** Returns whether nothing was changed. The change stays open then: only its caller knows the error. */
  isRefused?: (result: Result) => boolean;
  make: () => Result;
};

const DONE: AuditOutcome = { outcome: "done", error: null, target: null };

/** Thrown to undo the entry of a change that was refused. */
class Refused<Result> {
  readonly result: Result;

  constructor(result: Result) {
    this.result = result;
  }
}

/** Adds the entry of a change that is made in the same transaction. */
export function closeChange(
  { audit }: Pick<AggregatorStores, "audit">,
  call: ChangingCall,
  target: string | null,
  nowMs: number,
): void {
  if (call !== null) audit.close(call, { ...DONE, target }, nowMs);
}

/** @throws the error of `make`; nothing is changed then */
export async function auditedChange<Result>(
  storage: DurableObjectStorage,
  stores: AggregatorStores,
  wakes: Wakes,
  { call, target = null, isRefused = () => false, make }: AuditedWish<Result>,
): Promise<Result> {
  const nowMs = Date.now();
  const result = await wakes.flushingSoon(nowMs, () => {
    try {
      return storage.transactionSync(() => {
        // First, because `make` also changes what is in memory, which is not rolled back.
        closeChange(stores, call, target, nowMs);
        const made = make();
        if (isRefused(made)) throw new Refused(made);
        return made;
      });
    } catch (error) {
      stores.outbox.rolledBack();
      if (error instanceof Refused) return error.result as Result;
      throw error;
    }
  });
  if (call !== null) await wakes.onNewData(nowMs);
  return result;
}
