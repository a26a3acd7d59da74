/** The requests of a world, and the reasons for which some may lack a record. */
import { broken } from "./broken.ts";
import type { Call, CallPlan } from "./caller.ts";
import type { SimulatedLedger } from "./ledger.ts";
import type { Exchange } from "./ollama.ts";

export type Known = {
  call: Call | null;
  plan: CallPlan;
  exchanges: Exchange[];
  /** The reason for which it may have no record; null if there must be one. */
  excuse: string | null;
};

export class KnownRequests {
  readonly byId = new Map<string, Known>();
  readonly #ledger: SimulatedLedger;

  constructor(ledger: SimulatedLedger) {
    this.#ledger = ledger;
  }

  add(plan: CallPlan): Known {
    const known: Known = { call: null, plan, exchanges: [], excuse: null };
    this.byId.set(plan.id, known);
    return known;
  }

  /** @throws {Broken} if no caller made it */
  of(id: string): Known {
    return this.byId.get(id) ?? broken(`a request that no caller made: ${id}`);
  }

  /** Excuses all requests that have no record yet. */
  excuseUnrecorded(reason: string): void {
    for (const id of this.byId.keys()) if (!this.#isRecorded(id)) this.excuse(id, reason);
  }

  /**
   * Returns the number of calls by the result that their callers got, and of those whose caller had
   * a sign of life before its answer.
   */
  results(): Record<string, number> {
    const calls = [...this.byId.values()].map(({ call }) => call);
    const early = calls.filter((call) => (call?.keepalives ?? 0) > 0).length;
    const results: Record<string, number> = { early };
    for (const call of calls) {
      const result = call?.result ?? "refused";
      results[result] = (results[result] ?? 0) + 1;
    }
    return results;
  }

  excuse(id: string, reason: string): void {
    const known = this.byId.get(id);
    if (known !== undefined) known.excuse ??= reason;
  }

  #isRecorded(id: string): boolean {
    return this.#ledger.has(id);
  }
}
