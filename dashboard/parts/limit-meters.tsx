/** The rest of each limit of a key, as a bar with its figures and its reset. */
import type { LimitRow } from "../shape/limits-left.ts";
import { MeterBar, Moment } from "./basics.tsx";

const WARN_PERCENT = 80;

export const LimitMeters = ({
  rows,
  withResets,
}: {
  rows: readonly LimitRow[];
  withResets: boolean;
}) => (
  <ul class="limit-meters">
    {rows.map(({ name, text, percent, isReached, resetsAt }) => (
      <li key={name}>
        <MeterBar
          name={name}
          text={text}
          percent={percent}
          tone={isReached ? "bad" : percent >= WARN_PERCENT ? "warn" : "accent"}
        />
        {withResets && resetsAt !== null && (
          <span class="below">
            resets <Moment iso={resetsAt} />
          </span>
        )}
      </li>
    ))}
  </ul>
);
