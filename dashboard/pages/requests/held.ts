/** Holds the list still while a request is open, and lets the rows in that have waited. */
import { useRef, useState } from "preact/hooks";
import type { Logs } from "../../../protocol/api/logs.ts";
import type { QueryState } from "../../data/query.ts";
import { type HeldList, heldList, waitingIn } from "../../shape/held-list.ts";

type Held = {
  shown: Logs | null;
  /** How many requests wait to be shown. */
  waiting: number;
  showWaiting: () => void;
};

/** @param name  filters and page of the list */
export function useHeld(
  name: string,
  { data, isLoading }: Pick<QueryState<Logs>, "data" | "isLoading">,
  isHolding: boolean,
): Held {
  const held = useRef<HeldList | null>(null);
  const [, setShowings] = useState(0);
  held.current = heldList(held.current, { name, data, isLoading, isHolding });
  return {
    shown: held.current?.shown ?? null,
    waiting: isHolding && held.current?.name === name ? waitingIn(held.current.shown, data) : 0,
    showWaiting: () => {
      held.current = null;
      setShowings((showings) => showings + 1);
    },
  };
}
