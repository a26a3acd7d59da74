/** Models that read only a part of many prompts, because their context is too short. Pure. */
import { type FinishedCall, keyOf, mostFrequent, placeOf } from "./calls.ts";

export type Truncated = {
  box: string;
  model: string;
  truncated: number;
  /** All calls of which it is known. */
  requests: number;
  context_length: number;
  /** Length of the longest of these prompts; null if unknown. */
  prompt_chars: number | null;
  key: string | null;
};

export const TRUNCATED_MINUTES = 60;
/** One long text is an accident; a second one is a caller. */
const TRUNCATED_MIN = 2;

export function truncatedOf(calls: readonly FinishedCall[], nowMs: number): Truncated[] {
  const recent = calls.filter(
    ({ endMs, prompt_truncated }) =>
      prompt_truncated !== null && nowMs - endMs <= TRUNCATED_MINUTES * 60_000,
  );
  return [...Map.groupBy(recent, placeOf).values()].flatMap((of) => {
    const cut = of.filter(({ prompt_truncated }) => prompt_truncated);
    const [first] = cut;
    if (first === undefined || cut.length < TRUNCATED_MIN) return [];
    const chars = cut.flatMap(({ prompt_chars }) => prompt_chars ?? []);
    const contexts = cut.flatMap(({ context_length }) => context_length ?? []);
    return [
      {
        ...{ box: first.box, model: first.model, truncated: cut.length, requests: of.length },
        context_length: Math.max(0, ...contexts),
        prompt_chars: chars.length === 0 ? null : Math.max(...chars),
        key: mostFrequent(cut.map(keyOf)),
      },
    ];
  });
}
