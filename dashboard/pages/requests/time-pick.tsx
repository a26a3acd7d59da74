/** The time of the list: all of it, the last minutes to days, or the time that a drag has selected. */
import type { Filters } from "../../shape/filters.ts";
import { moment } from "../../shape/format.ts";
import { RANGE_NAMES } from "../../shape/history.ts";
import { rangeOf, secondsOf } from "../../shape/scope.ts";

const RANGES = ["15m", "1h", "24h", "7d"] as const;

type Props = { filters: Filters; change: (filters: Filters) => void };

export function TimePick({ filters, change }: Props) {
  const { seconds, fromMs, untilMs } = filters;
  const range = seconds === null ? "" : rangeOf(seconds);
  const isFixed = fromMs !== null || untilMs !== null;
  const iso = (ms: number | null) => (ms === null ? "now" : moment(new Date(ms).toISOString(), ms));
  const isOther = range !== "" && !RANGES.some((each) => secondsOf(each) === seconds);
  return (
    <label class="pick">
      <span class="sr-only">Time</span>
      <select
        value={
          isFixed
            ? "fixed"
            : isOther
              ? "other"
              : (RANGES.find((each) => secondsOf(each) === seconds) ?? "")
        }
        onChange={({ currentTarget: { value } }) =>
          change({
            ...filters,
            ...{ fromMs: null, untilMs: null },
            seconds: secondsOf(value),
          })
        }
      >
        <option value="">Any time</option>
        {RANGES.map((each) => (
          <option key={each} value={each}>
            Last {RANGE_NAMES[each]}
          </option>
        ))}
        {isOther && <option value="other">Last {range}</option>}
        {isFixed && (
          <option value="fixed">
            {fromMs === null ? "Until" : `${iso(fromMs)} to`} {iso(untilMs)}
          </option>
        )}
      </select>
    </label>
  );
}
