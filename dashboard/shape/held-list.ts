/** A list that holds still while it is read: new rows wait until they are requested. Pure. */

export type HeldList<T> = {
  /** Filters and page of the list. */
  name: string;
  shown: T;
};

type Latest<T> = {
  name: string;
  /** Null before the first response. */
  data: T | null;
  /** True while the data is that of another query. */
  isLoading: boolean;
  isHolding: boolean;
};

/** Returns the list to show from now on. */
export function heldList<T>(
  before: HeldList<T> | null,
  { name, data, isLoading, isHolding }: Latest<T>,
): HeldList<T> | null {
  if (data === null) return null;
  // The period of a list moves on every minute. It remains the same list meanwhile.
  const isSame = before?.name === name;
  if (before !== null && (isLoading || (isHolding && isSame))) return before;
  return { name, shown: data };
}

type Id = string | number;

/** Counts the rows of the newest page that are not shown yet. */
export function waitingIn(shown: readonly Id[], latest: readonly Id[]): number {
  const ids = new Set(shown);
  return latest.filter((id) => !ids.has(id)).length;
}

/**
 * Returns the rows in the order in which they were first shown; new ones follow. Figures that overtake each
 * other change no place.
 */
export function inFirstOrder<Row>(
  before: readonly Id[],
  rows: readonly Row[],
  idOf: (row: Row) => Id,
): Row[] {
  const places = new Map(before.map((id, place) => [id, place]));
  const placeOf = (row: Row) => places.get(idOf(row)) ?? before.length;
  return rows.toSorted((a, b) => placeOf(a) - placeOf(b));
}
