/**
 * The tokens, energy and money that a call used, by its record, for the limits of its key. Pure.
 *
 * An amount that is not known is not 0. Two calls are known to have used nothing: one that no box took, and
 * one that Ollama refused before it answered.
 */
import * as z from "zod";
import type { Spending } from "../../protocol/api/key-limits.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { makesVectors } from "../../protocol/routes.ts";

/** `isWhole`: false if the call used more than what is known. */
export const Use = z.object({ known: z.number(), isWhole: z.boolean() });
export type Use = z.infer<typeof Use>;

export type CallUse = Record<Spending, Use>;

type Used = Pick<
  RequestRecord,
  | "box"
  | "endpoint"
  | "status"
  | "failed_at"
  | "ttft_ms"
  | "prompt_tokens"
  | "completion_tokens"
  | "energy_j"
  | "cost"
>;

const JOULES_PER_WH = 3_600;

export function useOf(record: Used): CallUse {
  const { prompt_tokens, completion_tokens, energy_j, cost } = record;
  const isRefused =
    record.status === "error" && record.failed_at === "ollama" && record.ttft_ms === null;
  const isUnused = record.box === null || isRefused;
  const use = (known: number | null, isWhole = known !== null): Use => ({
    known: known ?? 0,
    isWhole: isWhole || isUnused,
  });
  const hasAnswer = completion_tokens !== null || makesVectors(record.endpoint);
  return {
    tokens: use(
      (prompt_tokens ?? 0) + (completion_tokens ?? 0),
      prompt_tokens !== null && hasAnswer,
    ),
    wh: use(energy_j === null ? null : energy_j / JOULES_PER_WH),
    money: use(cost),
  };
}
