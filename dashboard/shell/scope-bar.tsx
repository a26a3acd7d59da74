/**
 * The scope of the page: box, model, key and time, all of them in the URL. It stands in the bar above the
 * page; on a phone, where that bar stays in sight, below it.
 */
import { useState } from "preact/hooks";
import { minuteMs } from "../data/clock.ts";
import { live } from "../data/live.ts";
import { useQuery } from "../data/query.ts";
import { changeScope, scope, togglePause } from "../data/scope.ts";
import { hasScope, isOpenEdge } from "../data/self.ts";
import { FilterIcon, PauseIcon, PlayIcon } from "../parts/icons.tsx";
import { untagged } from "../shape/models.ts";
import type { Page } from "../shape/route.ts";
import { isLive } from "../shape/scope.ts";
import { timeShown, timeText } from "../shape/scope-text.ts";
import { type PageScopeUse, scopeUseOf, usualTime } from "./page-scope.ts";
import { TimeMenu } from "./time-menu.tsx";

export function ScopeBar({ page }: { page: Page }) {
  const use = scopeUseOf(page);
  const { narrows, time } = use;
  /** On a phone, one line stands for all of them until it is pressed. */
  const [isOpen, setOpen] = useState(false);
  if (!hasScope("stats") || (narrows.length === 0 && time === null)) return null;
  return (
    <section class={isOpen ? "scope-bar open" : "scope-bar"} aria-label="Shown">
      <button
        type="button"
        class="scope-summary"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <FilterIcon />
        <span>{summaryOf(use)}</span>
      </button>
      <div class="scope-parts">
        {narrows.includes("box") && <BoxPick />}
        {narrows.includes("model") && <ModelPick />}
        {narrows.includes("key") && <KeyPick />}
        {time !== null && <TimeMenu use={{ ...use, time }} />}
        {time !== null && <PauseButton />}
      </div>
    </section>
  );
}

function summaryOf({ narrows, time }: PageScopeUse): string {
  const parts = narrows.flatMap((name) => scope.value[name] ?? []);
  if (narrows.length > 0 && parts.length === 0) parts.push("Everything");
  if (time !== null)
    parts.push(timeText(timeShown(scope.value, usualTime(time, minuteMs.value)), minuteMs.value));
  return parts.join(" · ");
}

function PauseButton() {
  const follows = isLive(scope.value);
  const name = follows ? "Pause" : "Follow";
  return (
    <button
      type="button"
      class="plain pause"
      aria-pressed={!follows}
      aria-label={name}
      title={follows ? "Pause (p)" : "Follow the present (p)"}
      onClick={togglePause}
    >
      {follows ? <PauseIcon /> : <PlayIcon />}
    </button>
  );
}

function BoxPick() {
  const names = live.value?.value.boxes.map(({ name }) => name) ?? [];
  return (
    <Pick
      label="Box"
      all="All boxes"
      value={scope.value.box}
      options={names.map((value) => ({ value, name: value }))}
      choose={(box) => changeScope({ box })}
    />
  );
}

function ModelPick() {
  const { boxes = [], stats } = live.value?.value ?? {};
  const names = new Set([
    ...(stats?.models_in_use ?? []),
    ...boxes.flatMap(({ loaded }) => loaded.map(({ name }) => untagged(name))),
  ]);
  return (
    <Pick
      label="Model"
      all="All models"
      value={scope.value.model}
      options={[...names].sort().map((value) => ({ value, name: value }))}
      choose={(model) => changeScope({ model })}
    />
  );
}

/** Without the right to list keys, only the one that a link has narrowed the page to. */
function KeyPick() {
  const mayList = hasScope("admin") && !isOpenEdge() && live.value !== null;
  const { data } = useQuery("/api/keys", {}, null, mayList);
  const { key } = scope.value;
  const keys = data?.keys ?? [];
  if (keys.length === 0 && key === null) return null;
  return (
    <Pick
      label="Key"
      all="All keys"
      value={key}
      options={keys.map(({ id, name }) => ({ value: id, name }))}
      choose={(chosen) => changeScope({ key: chosen })}
    />
  );
}

type PickProps = {
  label: string;
  all: string;
  value: string | null;
  options: readonly { value: string; name: string }[];
  choose: (value: string | null) => void;
};

function Pick({ label, all, value, options, choose }: PickProps) {
  const isListed = value === null || options.some((each) => each.value === value);
  return (
    <select
      aria-label={label}
      class={value === null ? "" : "narrowed"}
      value={value ?? ""}
      onChange={({ currentTarget }) => choose(currentTarget.value || null)}
    >
      <option value="">{all}</option>
      {[...(isListed ? [] : [{ value, name: value }]), ...options].map((each) => (
        <option key={each.value} value={each.value ?? ""}>
          {each.name}
        </option>
      ))}
    </select>
  );
}
