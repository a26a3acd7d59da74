/** Holds what a reader looks at still, and lets the rows in that have waited. */
import { useRef, useState } from "preact/hooks";
import { type HeldList, heldList, inFirstOrder, waitingIn } from "../shape/held-list.ts";
import type { QueryState } from "./query.ts";

type Id = string | number;

type Held<T> = {
  shown: T | null;
  /** How many rows wait to be shown. */
  waiting: number;
  showWaiting: () => void;
};

/** @param name  filters and page of the list */
export function useHeld<T>(
  name: string,
  { data, isLoading }: Pick<QueryState<T>, "data" | "isLoading">,
  isHolding: boolean,
  idsOf: (list: T) => Id[],
): Held<T> {
  const held = useRef<HeldList<T> | null>(null);
  const [, setShowings] = useState(0);
  held.current = heldList(held.current, { name, data, isLoading, isHolding });
  const isSame = isHolding && held.current?.name === name && data !== null;
  return {
    shown: held.current?.shown ?? null,
    waiting: isSame && held.current ? waitingIn(idsOf(held.current.shown), idsOf(data)) : 0,
    showWaiting: () => {
      held.current = null;
      setShowings((showings) => showings + 1);
    },
  };
}

/**
 * Returns the rows of a ranking in the order in which they were first shown.
 * @param name  the question, which another one is ranked for again; null while its rows are loading
 */
export function useFirstOrder<Row>(
  name: string | null,
  rows: readonly Row[],
  idOf: (row: Row) => Id,
): Row[] {
  const first = useRef<{ name: string | null; ids: Id[] }>({ name, ids: [] });
  if (name !== null && first.current.name !== name) first.current = { name, ids: [] };
  const ordered = inFirstOrder(first.current.ids, rows, idOf);
  if (name !== null) first.current.ids = ordered.map(idOf);
  return ordered;
}
