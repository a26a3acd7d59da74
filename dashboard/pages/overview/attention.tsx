/** What needs attention, the worst first; or that nothing does. */
import type { Live } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { ChevronIcon } from "../../parts/icons.tsx";
import { concernsOf } from "../../shape/attention.ts";
import { count } from "../../shape/format.ts";

export function Attention({ live }: { live: Live }) {
  const concerns = concernsOf(live, nowMs.value, preferences.value);
  if (concerns.length === 0 && live.boxes.length === 0) return null;
  if (concerns.length === 0) {
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
        {/* By place, and not by words: those change with every second, and the focus would be lost with the link. */}
        {concerns.map(({ severity, subject, why, href }, place) => (
          <li key={place} class={severity}>
            <a href={href}>
              <span>
                <span class="sr-only">{severity === "bad" ? "Problem: " : "Warning: "}</span>
                <strong>{subject}</strong> {why}
              </span>
              <ChevronIcon />
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
