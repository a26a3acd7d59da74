/**
 * Cost and CO2 of many requests. Costs are in one currency: see `aggregator/tariffs.ts`.
 *
 * A request's cost is divided between its prompt and its answer by the time of prefill and decode, as far
 * as these are known. Loading and waiting are shared in the same proportion.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import type { BlobReader, BlobWriter } from "./blob.ts";

type Costly = Pick<
  RequestRecord,
  "cost" | "co2_g" | "prefill_ms" | "decode_ms" | "prompt_tokens" | "completion_tokens"
>;

/** The doubles of a blob, in their order. */
const SUMS = ["costJ", "cost", "co2J", "co2G", "promptCost", "completionCost"] as const;
const COUNTS = ["pricedPromptTokens", "pricedCompletionTokens"] as const;

export class Spent {
  /** The cost, and the energy that it covers. */
  cost = 0;
  costJ = 0;
  /** Grams of CO2, and the energy that they cover. */
  co2G = 0;
  co2J = 0;
  /** The parts of the costs that can be divided, and the tokens of those requests. */
  promptCost = 0;
  completionCost = 0;
  pricedPromptTokens = 0;
  pricedCompletionTokens = 0;

  /** @param energyJ  energy of the request */
  add(record: Costly, energyJ: number): void {
    const { cost, co2_g } = record;
    if (co2_g !== null) {
      this.co2J += energyJ;
      this.co2G += co2_g;
    }
    if (cost === null) return;
    this.costJ += energyJ;
    this.cost += cost;
    const promptShare = promptShareOf(record);
    if (promptShare === null) return;
    this.promptCost += cost * promptShare;
    this.completionCost += cost * (1 - promptShare);
    this.pricedPromptTokens += record.prompt_tokens ?? 0;
    this.pricedCompletionTokens += record.completion_tokens ?? 0;
  }

  merge(other: Spent): void {
    for (const name of [...SUMS, ...COUNTS]) this[name] += other[name];
  }

  write(writer: BlobWriter): void {
    const isEmpty = [...SUMS, ...COUNTS].every((name) => this[name] === 0);
    writer.varint(isEmpty ? 0 : 1);
    if (isEmpty) return;
    for (const name of SUMS) writer.double(this[name]);
    for (const name of COUNTS) writer.varint(this[name]);
  }

  static read(reader: BlobReader): Spent {
    const spent = new Spent();
    if (reader.varint() === 0) return spent;
    for (const name of SUMS) spent[name] = reader.sum();
    for (const name of COUNTS) spent[name] = reader.varint();
    return spent;
  }
}

/** Returns the share of a request that its prompt took, 0 to 1; null if unknown. */
function promptShareOf({
  prefill_ms,
  decode_ms,
  prompt_tokens,
  completion_tokens,
}: Costly): number | null {
  if (prompt_tokens === null) return null;
  // An embedding has no answer.
  if (!completion_tokens) return prompt_tokens > 0 ? 1 : null;
  if (prefill_ms === null || decode_ms === null) return null;
  const bothMs = prefill_ms + decode_ms;
  return bothMs > 0 ? prefill_ms / bothMs : null;
}
