/** The time of the scope: presets, a typed one, and the period that it is compared with. */
import { useState } from "preact/hooks";
import { minuteMs } from "../data/clock.ts";
import { live } from "../data/live.ts";
import { preferences, setPreferences } from "../data/preferences.ts";
import { changeScope, scope } from "../data/scope.ts";
import { Choice } from "../parts/basics.tsx";
import { ClockIcon } from "../parts/icons.tsx";
import { Menu } from "../parts/menu.tsx";
import { CALENDAR_NAMES, CALENDAR_TIMES } from "../shape/calendar.ts";
import { hasHistory, type Range, rangeOfScope, rangesOffered } from "../shape/history.ts";
import { COMPARISONS, EVERYTHING, type ScopeTime, secondsOf } from "../shape/scope.ts";
import { COMPARISON_NAMES, timeShown, timeText } from "../shape/scope-text.ts";
import { typedTime } from "../shape/typed-time.ts";
import { type PageScopeUse, usualTime } from "./page-scope.ts";

type Props = { use: PageScopeUse & { time: NonNullable<PageScopeUse["time"]> } };

export function TimeMenu({ use }: Props) {
  const { compare } = scope.value;
  const shown = timeShown(scope.value, usualTime(use.time, minuteMs.value));
  return (
    <Menu
      title="Time"
      class="time-button"
      button={
        <>
          <ClockIcon />
          <span class="sr-only">Time: </span>
          {timeText(shown, minuteMs.value)}
          {use.isCompared && compare !== null && (
            <span class="quiet"> vs {COMPARISON_NAMES[compare]}</span>
          )}
        </>
      }
    >
      {(close) => <TimeChoice use={use} shown={shown} close={close} />}
    </Menu>
  );
}

function TimeChoice({ use, shown, close }: Props & { shown: ScopeTime; close: () => void }) {
  const choose = (time: ScopeTime) => {
    const { seconds, fromMs, untilMs } = time;
    changeScope({ seconds, fromMs, untilMs });
    close();
  };
  const chosen = rangeOfScope({ ...EVERYTHING, ...shown }, "" as Range);
  const offered = rangesOffered(
    hasHistory(live.value?.value.health.sinks ?? []),
    chosen ?? preferences.value.range,
  );
  return (
    <div class="time-choice">
      <TypedTime choose={choose} />
      <Choice
        label="Last"
        options={offered.map((value) => ({ value, name: value }))}
        chosen={chosen ?? ("" as Range)}
        choose={(range) => {
          if (use.time === "preferred") setPreferences({ range });
          choose({ ...EVERYTHING, seconds: secondsOf(range) });
        }}
      />
      <div class="calendar-times">
        {CALENDAR_NAMES.map((name) => {
          const time = CALENDAR_TIMES[name](minuteMs.value);
          const isChosen = time.fromMs === shown.fromMs && time.untilMs === shown.untilMs;
          return (
            <button
              key={name}
              type="button"
              class="small"
              aria-pressed={isChosen}
              onClick={() => choose(time)}
            >
              {name}
            </button>
          );
        })}
        {use.time === "any" && (
          <button type="button" class="small" onClick={() => choose(EVERYTHING)}>
            Any time
          </button>
        )}
      </div>
      {use.isCompared && (
        <label class="compare">
          Compare with
          <select
            value={scope.value.compare ?? ""}
            onChange={({ currentTarget: { value } }) =>
              changeScope({ compare: COMPARISONS.find((each) => each === value) ?? null })
            }
          >
            <option value="">Nothing</option>
            {COMPARISONS.map((each) => (
              <option key={each} value={each}>
                {COMPARISON_NAMES[each]}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}

function TypedTime({ choose }: { choose: (time: ScopeTime) => void }) {
  const [typed, setTyped] = useState("");
  const time = typedTime(typed, Date.now());
  const isWrong = typed.trim() !== "" && time === null;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (time !== null) choose(time);
      }}
    >
      <input
        aria-label="Time"
        aria-describedby="typed-time-hint"
        placeholder="15:09 - 15:17"
        autocomplete="off"
        spellcheck={false}
        aria-invalid={isWrong}
        value={typed}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
      />
      <p id="typed-time-hint" class="quiet hint">
        {time === null
          ? "Such as 15:09 - 15:17, 90 min, yesterday, or 27 Nov 10:00 - 12:00"
          : `Enter shows: ${timeText(time, minuteMs.value)}`}
      </p>
    </form>
  );
}
