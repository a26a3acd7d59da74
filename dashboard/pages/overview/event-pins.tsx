/** Events above the bars of a chart. */
import type { Activity } from "../../../protocol/api/activity.ts";
import type { Events } from "../../../protocol/api/events.ts";
import { timeLabels } from "../../shape/axis.ts";

type Props = { activity: Activity; events: Events["events"] };

export function EventPins({ activity, events }: Props) {
  const fromMs = Date.parse(activity.from);
  const span = Date.parse(activity.to) - fromMs;
  return (
    <ul class="pins" aria-label="Events">
      {events.map(({ id, at, text, severity }) => {
        const part = (Date.parse(at) - fromMs) / span;
        return part < 0 || part > 1 ? null : (
          <li
            key={id}
            class={severity === "critical" ? "pin bad" : "pin"}
            style={{ left: `${100 * part}%` }}
            title={`${timeLabels([Date.parse(at) / 1_000], 1)[0]} ${text}`}
          >
            <span class="sr-only">{text}</span>
          </li>
        );
      })}
    </ul>
  );
}
