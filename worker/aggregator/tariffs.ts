/**
 * The tariffs, each in force from its time until that of the next.
 *
 * Earlier ones are kept as long as a record may arrive late, so that it is priced by the tariff of the time
 * in which it ran. All have one currency: sums of costs in two would mean nothing.
 */
import * as z from "zod";
import { Tariff } from "../../protocol/tariff.ts";
import { currencyOf, type TariffVersion } from "../counting/pricing.ts";
import { jsonText } from "../storage/json-text.ts";
import { BEHIND_MAX_MS } from "./vetting.ts";

/** More changes than this within that time lose the oldest. */
const VERSIONS_MAX = 500;

const Row = z.object({ since_ms: z.number(), tariff: jsonText(Tariff.nullable()) });

export class Tariffs {
  readonly #storage: DurableObjectStorage;
  #versions: readonly TariffVersion[];

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#versions = storage.sql
      .exec("SELECT since_ms, tariff FROM tariffs ORDER BY since_ms")
      .toArray()
      .map((row) => Row.parse(row));
  }

  /** Returns all that may still price something, oldest first. */
  all(): readonly TariffVersion[] {
    return this.#versions;
  }

  /**
   * Returns the newest version, whose tariff is null if it was removed; null if none was ever set.
   */
  newest(): TariffVersion | null {
    return this.#versions.at(-1) ?? null;
  }

  /** Returns the currency of all costs; null until a tariff is set. */
  currency(): string | null {
    return currencyOf(this.#versions);
  }

  /**
   * Puts a tariff in force from now on. Another currency makes the earlier tariffs void.
   * @param tariff  null for none
   */
  put(tariff: Tariff | null, nowMs: number): void {
    if (tariff === null && (this.newest()?.tariff ?? null) === null) return;
    const isOtherCurrency = tariff !== null && tariff.currency !== this.currency();
    const earlier = isOtherCurrency
      ? []
      : this.#versions
          .filter(({ since_ms }) => since_ms < nowMs)
          .filter((_, index, all) => (all[index + 1]?.since_ms ?? nowMs) > nowMs - BEHIND_MAX_MS);
    const versions = [...earlier, { since_ms: nowMs, tariff }].slice(-VERSIONS_MAX);
    this.#storage.transactionSync(() => {
      const { sql } = this.#storage;
      sql.exec("DELETE FROM tariffs WHERE since_ms < ?1", versions[0]?.since_ms ?? nowMs);
      sql.exec(
        "INSERT OR REPLACE INTO tariffs (since_ms, tariff) VALUES (?, ?)",
        nowMs,
        JSON.stringify(tariff),
      );
    });
    this.#versions = versions;
  }
}
