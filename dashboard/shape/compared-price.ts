/** A price per million tokens that costs are compared with. Pure. */
import type { CostRow } from "../../protocol/api/costs.ts";

export type ComparedPrice = { input: number; output: number };

/** Returns what the tokens of a row would cost at a price. */
export const costAt = (
  { prompt_tokens, completion_tokens }: Pick<CostRow, "prompt_tokens" | "completion_tokens">,
  { input, output }: ComparedPrice,
): number => (prompt_tokens * input + completion_tokens * output) / 1e6;

/** Parses a stored price; null if it is not valid. */
export function comparedPriceIn(value: unknown): ComparedPrice | null {
  const { input, output }: { input?: unknown; output?: unknown } =
    typeof value === "object" && value !== null ? value : {};
  const isPrice = (amount: unknown): amount is number =>
    Number.isFinite(amount) && Number(amount) >= 0;
  return isPrice(input) && isPrice(output) ? { input, output } : null;
}
