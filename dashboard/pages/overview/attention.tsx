/** The list of concerns, critical ones first, or one line when all is well. */
import type { Live } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { ChevronIcon } from "../../parts/icons.tsx";
import { type ConcernRow, concernRows } from "../../shape/attention.ts";
import { count } from "../../shape/format.ts";

const SEVERITIES: Record<ConcernRow["tone"], string> = {
  bad: "Critical",
  warn: "Warning",
  note: "Note",
};

export function Attention({ live }: { live: Live }) {
  const rows = concernRows(live.health.concerns, nowMs.value, preferences.value);
  if (rows.length === 0 && live.boxes.length === 0) return null;
  if (rows.length === 0) {
    const { requests, errors, minutes } = live.recent;
    const { up } = live.stats.boxes;
    return (
      <p class="all-well">
        <i class="beat" /> All well: {up === 1 ? "the box is up" : `all ${up} boxes are up`},{" "}
        {count(requests)} {requests === 1 ? "request" : "requests"} in the last {minutes} minutes,{" "}
        {errors === 0 ? "none" : count(errors)} failed.
      </p>
    );
  }
  return (
    <section class="attention" aria-label="Needs attention">
      <ul>
        {/* Keyed by position: the text changes every second, and a new key would drop the link's focus. */}
        {rows.map(({ tone, title, predicate, href }, position) => (
          <li key={position} class={tone}>
            <a href={href}>
              <span>
                <span class="sr-only">{SEVERITIES[tone]}: </span>
                <strong>{title}</strong> {predicate}
              </span>
              <ChevronIcon />
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
