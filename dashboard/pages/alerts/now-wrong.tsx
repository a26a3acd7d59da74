/** The concerns of this moment. */
import type { Live } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { Section } from "../../parts/basics.tsx";
import { concernRows } from "../../shape/attention.ts";

export function NowWrong({ live }: { live: Live }) {
  const rows = concernRows(live.health.concerns, nowMs.value, preferences.value);
  return (
    <Section title="Wrong now">
      {rows.length === 0 ? (
        <p class="quiet">Nothing is wrong.</p>
      ) : (
        <ul class="event-list">
          {rows.map(({ tone, title, predicate, href }, position) => (
            <li key={position} class={tone}>
              <i class="event-dot" aria-hidden="true" />
              <span>
                <span class="sr-only">{tone === "bad" ? "Critical: " : ""}</span>
                <strong>{title}</strong> {predicate}
              </span>
              <a href={href}>Look</a>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
