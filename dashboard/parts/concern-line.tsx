/**
 * Concerns in one line above a page, the worst first, or what is well. They come and go under the eyes of
 * the reader, so the line keeps its height, and the others are shown on request.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Concern } from "../../protocol/concern.ts";
import { nowMs } from "../data/clock.ts";
import { preferences } from "../data/preferences.ts";
import { isNarrow } from "../data/screen.ts";
import { type ConcernRow, concernRows } from "../shape/attention.ts";
import { ChevronIcon } from "./icons.tsx";

const SEVERITIES: Record<ConcernRow["tone"], string> = {
  bad: "Critical",
  warn: "Warning",
  note: "Note",
};
const SHOWN = { narrow: 1, wide: 2 };

type Props = {
  label: string;
  concerns: readonly Concern[];
  /** Shown without concerns. */
  children: ComponentChildren;
};

export function ConcernLine({ label, concerns, children }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  const rows = concernRows(concerns, nowMs.value, preferences.value);
  const shown = isNarrow.value ? SHOWN.narrow : SHOWN.wide;
  if (rows.length === 0) return <p class="all-well">{children}</p>;
  return (
    <section class={isOpen ? "attention open" : "attention"} aria-label={label}>
      <ul>
        {/* Keyed by position: the text changes every second, and a new key would drop the link's focus. */}
        {(isOpen ? rows : rows.slice(0, shown)).map(
          ({ tone, title, predicate, href }, position) => (
            <li key={position} class={tone}>
              <a href={href} title={`${title} ${predicate}`}>
                <span>
                  <span class="sr-only">{SEVERITIES[tone]}: </span>
                  <strong>{title}</strong> {predicate}
                </span>
                <ChevronIcon />
              </a>
            </li>
          ),
        )}
      </ul>
      {rows.length > shown && (
        <button
          type="button"
          class="small"
          aria-expanded={isOpen}
          onClick={() => setIsOpen(!isOpen)}
        >
          {isOpen ? "Fewer" : `${rows.length - shown} more`}
        </button>
      )}
    </section>
  );
}
