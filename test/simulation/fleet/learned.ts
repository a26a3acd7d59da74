/** The times that the Aggregator of a world has learned before it begins. */
import type { SimulatedLedger } from "../ledger.ts";
import { type FleetPlan, PREFILL_MS, PROMPT_TOKENS } from "./plan.ts";

/** Teaches the Aggregator how long each model takes on each box, as earlier records would have. */
export function learnTimes({ learned }: SimulatedLedger, { boxes }: FleetPlan): void {
  learned.of(""); // it learns from its first reader on
  for (const { name: box, speed, models } of boxes)
    for (const { name: model, loadMs, tokenMs, tokens } of models)
      learned.add({
        box,
        model,
        status: "success",
        load_ms: loadMs / speed,
        prefill_ms: PREFILL_MS / speed,
        decode_ms: (tokenMs * tokens) / speed,
        prompt_tokens: PROMPT_TOKENS,
      });
}
