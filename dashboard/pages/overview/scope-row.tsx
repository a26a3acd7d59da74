/** The scope of the Overview: box, model, key and time, all of them in the URL. */
import { useState } from "preact/hooks";
import type { Live } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { preferences, setPreferences } from "../../data/preferences.ts";
import { changeScope, scope, togglePause } from "../../data/scope.ts";
import { Choice } from "../../parts/basics.tsx";
import { moment } from "../../shape/format.ts";
import {
  hasHistory,
  type Range,
  rangeOfScope,
  rangesOffered,
  secondsOfRange,
} from "../../shape/history.ts";
import { isLive, periodOf, secondsOf } from "../../shape/scope.ts";
import { typedTime } from "../../shape/typed-time.ts";

export function ScopeRow({ live }: { live: Live }) {
  const { boxes, stats, health } = live;
  const chosen = rangeOfScope(scope.value, preferences.value.range);
  const follows = isLive(scope.value);
  const choose = (range: Range) => {
    setPreferences({ range });
    changeScope({ seconds: secondsOf(range), fromMs: null, untilMs: null });
  };
  const offered = rangesOffered(hasHistory(health.sinks), chosen ?? preferences.value.range);
  const models = [
    ...new Set([
      ...stats.models_in_use,
      ...boxes.flatMap(({ loaded }) => loaded.map(({ name }) => name.replace(/:latest$/, ""))),
    ]),
  ].sort();
  return (
    <div class="scope-row">
      <Pick
        label="Box"
        all="All boxes"
        value={scope.value.box}
        options={boxes.map(({ name }) => name)}
        choose={(box) => changeScope({ box })}
      />
      <Pick
        label="Model"
        all="All models"
        value={scope.value.model}
        options={models}
        choose={(model) => changeScope({ model })}
      />
      {scope.value.key !== null && (
        <button type="button" onClick={() => changeScope({ key: null })}>
          Key {scope.value.key} ×
        </button>
      )}
      <TypedTime />
      <span class="scope-end">
        <Choice
          label="Chart range"
          options={offered.map((value) => ({ value, name: value }))}
          chosen={chosen ?? ("" as Range)}
          choose={choose}
        />
        <button type="button" aria-pressed={!follows} onClick={togglePause}>
          {follows ? "Pause" : "Follow"}
        </button>
      </span>
    </div>
  );
}

type PickProps = {
  label: string;
  all: string;
  value: string | null;
  options: readonly string[];
  choose: (value: string | null) => void;
};

const Pick = ({ label, all, value, options, choose }: PickProps) => (
  <select
    aria-label={label}
    value={value ?? ""}
    onChange={({ currentTarget }) => choose(currentTarget.value || null)}
  >
    <option value="">{all}</option>
    {[...new Set([...(value === null ? [] : [value]), ...options])].map((each) => (
      <option key={each} value={each}>
        {each}
      </option>
    ))}
  </select>
);

/** A time as text: it shows the period, and takes one. */
function TypedTime() {
  const [typed, setTyped] = useState<string | null>(null);
  const time = typed === null ? null : typedTime(typed, Date.now());
  const usual = secondsOfRange(preferences.value.range);
  const { fromMs, untilMs } = periodOf(scope.value, nowMs.value, usual);
  const text = (ms: number) => moment(new Date(ms).toISOString(), nowMs.value).slice(0, -3);
  const shown = `${text(fromMs)} – ${isLive(scope.value) ? "now" : text(untilMs)}`;
  const isWrong = typed !== null && typed.trim() !== "" && time === null;
  return (
    <form
      class="typed-time"
      onSubmit={(event) => {
        event.preventDefault();
        if (time !== null) changeScope(time);
        if (!isWrong) setTyped(null);
      }}
    >
      <input
        aria-label="Time"
        title="Such as 15:09 - 15:17, 90 min, yesterday, or 27 Nov 10:00 - 12:00"
        placeholder="15:09 - 15:17"
        autocomplete="off"
        spellcheck={false}
        aria-invalid={isWrong}
        value={typed ?? shown}
        onFocus={({ currentTarget }) => currentTarget.select()}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        onBlur={() => setTyped(null)}
      />
    </form>
  );
}
