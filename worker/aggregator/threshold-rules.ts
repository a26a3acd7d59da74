/** The thresholds that an administrator has set: few rows, each a rule as JSON. */
import { ThresholdRule, thresholdKey } from "../../protocol/thresholds.ts";
import { JsonRows } from "../storage/json-rows.ts";

export class ThresholdRuleStore {
  readonly #rules: JsonRows<ThresholdRule>;

  constructor(sql: SqlStorage) {
    this.#rules = new JsonRows(sql, "thresholds", ThresholdRule);
  }

  all(): ThresholdRule[] {
    return this.#rules.all();
  }

  /** Replaces all rules. */
  replace(rules: readonly ThresholdRule[]): void {
    const kept = new Set(rules.map(thresholdKey));
    for (const rule of this.all()) {
      const key = thresholdKey(rule);
      if (!kept.has(key)) this.#rules.delete(key);
    }
    for (const rule of rules) this.#rules.put(thresholdKey(rule), rule);
  }
}
