/** Concerns as lines, each with the page that shows more. */
import type { Concern } from "../../protocol/concern.ts";
import { nowMs } from "../data/clock.ts";
import { preferences } from "../data/preferences.ts";
import { concernRows } from "../shape/attention.ts";

export const ConcernRows = ({ concerns }: { concerns: readonly Concern[] }) => (
  <ul class="event-list">
    {concernRows(concerns, nowMs.value, preferences.value).map(
      ({ tone, title, predicate, href }, position) => (
        <li key={position} class={tone}>
          <i class="event-dot" aria-hidden="true" />
          <span>
            <span class="sr-only">{tone === "bad" ? "Critical: " : ""}</span>
            <strong>{title}</strong> {predicate}
          </span>
          <a href={href} aria-label={`Look at ${title}`}>
            Look
          </a>
        </li>
      ),
    )}
  </ul>
);
