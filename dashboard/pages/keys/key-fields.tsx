/** The fields of a key that state who it is for and what it may reach. */

import { DAY_MS } from "../../../protocol/day.ts";
import { nowMs } from "../../data/clock.ts";
import { live } from "../../data/live.ts";
import { fieldOfTime, type KeyForm, RIGHTS } from "../../shape/key-form.ts";

export type FieldsProps = { form: KeyForm; set: (changes: Partial<KeyForm>) => void };

const LIFETIMES = [
  { name: "7 days", days: 7 },
  { name: "30 days", days: 30 },
  { name: "90 days", days: 90 },
];

export function KeyFields({ form, set }: FieldsProps) {
  return (
    <>
      <label class="field">
        <span>Name</span>
        <input
          required
          maxLength={100}
          autocomplete="off"
          placeholder="The person or program that gets it"
          value={form.name}
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </label>
      <fieldset class="field">
        <legend>Rights</legend>
        <div class="checks">
          {RIGHTS.map(({ scope, name, text }) => (
            <label key={scope} class="check">
              <input
                type="checkbox"
                checked={form.scopes.includes(scope)}
                onChange={() => set({ scopes: toggled(form.scopes, scope) })}
              />
              <span>
                {name}
                <span class="below">{text}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <label class="field">
        <span>Models</span>
        <input
          autocomplete="off"
          spellcheck={false}
          placeholder="All. Or some: llama3.2, qwen3:*"
          value={form.models}
          onInput={(event) => set({ models: event.currentTarget.value })}
        />
      </label>
      <BoxFields form={form} set={set} />
      <ExpiryField form={form} set={set} />
    </>
  );
}

function BoxFields({ form, set }: FieldsProps) {
  const known = live.value?.value.boxes.map(({ name }) => name) ?? [];
  const boxes = [...new Set([...known, ...form.boxes])];
  if (boxes.length === 0) return null;
  return (
    <fieldset class="field">
      <legend>
        Boxes <span class="aside">{form.boxes.length === 0 ? "All" : "Only these"}</span>
      </legend>
      <div class="checks">
        {boxes.map((box) => (
          <label key={box} class="check">
            <input
              type="checkbox"
              checked={form.boxes.includes(box)}
              onChange={() => set({ boxes: toggled(form.boxes, box) })}
            />
            <span>{box}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function ExpiryField({ form, set }: FieldsProps) {
  return (
    <fieldset class="field">
      <legend>Expires</legend>
      <div class="expiry">
        <input
          type="datetime-local"
          aria-label="Expires at"
          value={form.expiresAt}
          onInput={(event) => set({ expiresAt: event.currentTarget.value })}
        />
        {LIFETIMES.map(({ name, days }) => (
          <button
            key={days}
            type="button"
            class="small"
            onClick={() => set({ expiresAt: fieldOfTime(new Date(nowMs.peek() + days * DAY_MS)) })}
          >
            {name}
          </button>
        ))}
        <button type="button" class="small" onClick={() => set({ expiresAt: "" })}>
          Never
        </button>
      </div>
    </fieldset>
  );
}

const toggled = <T,>(list: readonly T[], entry: T): T[] =>
  list.includes(entry) ? list.filter((each) => each !== entry) : [...list, entry];
