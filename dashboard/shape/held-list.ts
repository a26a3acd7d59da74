/**
 * The request list that holds still while a request is open: new rows wait until they are requested. Pure.
 */
import type { Logs } from "../../protocol/api/logs.ts";

export type HeldList = {
  /** Filters and page of the list. */
  name: string;
  shown: Logs;
};

type Latest = {
  name: string;
  /** Null before the first response. */
  data: Logs | null;
  /** True while the data is that of another query. */
  isLoading: boolean;
  isHolding: boolean;
};

/** Returns the list to show from now on. */
export function heldList(
  before: HeldList | null,
  { name, data, isLoading, isHolding }: Latest,
): HeldList | null {
  if (data === null) return null;
  // The period of a list moves on every minute. It remains the same list meanwhile.
  const isSame = before?.name === name;
  if (before !== null && (isLoading || (isHolding && isSame))) return before;
  return { name, shown: data };
}

/** Counts the requests of the newest page that are not shown yet. */
export function waitingIn(shown: Logs, latest: Logs | null): number {
  const ids = new Set(shown.logs.map(({ id }) => id));
  return latest?.logs.filter(({ id }) => !ids.has(id)).length ?? 0;
}
