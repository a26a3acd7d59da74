/** Which records of the ledger are deleted next. Pure. */
import { SLICE_IDS } from "./forgotten.ts";
import type { Labelled } from "./ledger-pages.ts";

export type ForgetLimits = {
  /** How many are deleted regardless of age. */
  excess: number;
  /** Older requests are deleted in any case. */
  horizon: string;
  /** This request and newer ones are still needed; null if none is. */
  heldId: string | null;
};

/** Returns at most {@link SLICE_IDS} of the oldest records, by their pages. */
export function oldest(
  pages: readonly Labelled[],
  { excess, horizon, heldId }: ForgetLimits,
): Map<Labelled, string[]> {
  const found = new Map<Labelled, string[]>();
  let records = 0;
  for (const from of pages.toSorted((a, b) => (a.label.first < b.label.first ? -1 : 1))) {
    if (records + from.label.records > SLICE_IDS) break;
    if (records >= excess && from.label.first >= horizon) break;
    const before = records;
    const ids = from.label
      .ids()
      .sort()
      .filter((id, index) => before + index < excess || id < horizon)
      .filter((id) => heldId === null || id < heldId);
    if (ids.length > 0) found.set(from, ids);
    records += ids.length;
  }
  return found;
}
