/** Leads from page to page of the list. */
import { count } from "../../shape/format.ts";

type Props = {
  /** One for each page up to the current one. */
  cursors: readonly string[];
  shown: number;
  /** Null on the last page. */
  next: string | null;
  pageSize: number;
  turnTo: (cursors: string[]) => void;
};

export function Pager({ cursors, shown, next, pageSize, turnTo }: Props) {
  if (next === null && cursors.length === 0) return null;
  const before = cursors.length * pageSize;
  return (
    <nav class="pager" aria-label="Result pages">
      <button type="button" disabled={cursors.length === 0} onClick={() => turnTo([])}>
        First
      </button>
      <button
        type="button"
        disabled={cursors.length === 0}
        onClick={() => turnTo(cursors.slice(0, -1))}
      >
        Previous
      </button>
      <span class="aside">
        {count(before + 1)} to {count(before + shown)}
      </span>
      <button
        type="button"
        disabled={next === null}
        onClick={() => next !== null && turnTo([...cursors, next])}
      >
        Next
      </button>
    </nav>
  );
}
