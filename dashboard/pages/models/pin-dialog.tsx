/** Keeps a model in the memory of a box: never, always, or in some hours of the day. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { BoxPin } from "../../../protocol/api/pins.ts";
import { callJson, errorMessage } from "../../data/api.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { ownZone } from "../../data/zone.ts";
import { Choice } from "../../parts/basics.tsx";
import { FormActions } from "../../parts/dialog.tsx";
import { Hour, TimeZones, ZONES } from "../../parts/hours.tsx";
import { verdictOf } from "../../shape/fit.ts";
import { type PinForm, pinBody, pinForm } from "../../shape/pins.ts";

type Props = {
  model: string;
  box: string;
  pin: BoxPin | null;
  changed: () => void;
  onClose: () => void;
};

const MODES: readonly { value: PinForm["mode"]; name: string }[] = [
  { value: "never", name: "No" },
  { value: "always", name: "Always" },
  { value: "hours", name: "In some hours" },
];

export function PinDialog({ model, box, pin, changed, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [form, setForm] = useState(() => pinForm(pin, ownZone()));
  const [state, setState] = useState<{ isBusy: boolean; error: string | null }>({
    isBusy: false,
    error: null,
  });
  useEffect(() => dialog.current?.showModal(), []);

  const save = async (event: Event) => {
    event.preventDefault();
    if (state.isBusy) return;
    setState({ isBusy: true, error: null });
    try {
      const body = pinBody(form, model, box);
      if (body !== null) await callJson("PUT", "/api/pins", { body });
      else if (pin !== null) await callJson("DELETE", "/api/pins", { query: { model, box } });
      changed();
      dialog.current?.close();
    } catch (error) {
      setState({ isBusy: false, error: errorMessage(error) });
    }
  };

  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="pin-title">
      <form onSubmit={save}>
        <h2 id="pin-title">
          Keep {model} in memory on {box}
        </h2>
        <p class="quiet">
          The box loads it by itself and renews it, so no caller waits for the load. While it is
          kept, it takes GPU memory and some power.
        </p>
        <Choice
          label="When to keep it in memory"
          options={MODES}
          chosen={form.mode}
          choose={(mode) => setForm({ ...form, mode })}
        />
        {form.mode === "hours" && (
          <div class="pin-fields">
            <span>
              <Hour
                label="From"
                first={0}
                value={form.from}
                set={(from) => setForm({ ...form, from })}
              />
              <span aria-hidden="true"> – </span>
              <Hour label="To" first={1} value={form.to} set={(to) => setForm({ ...form, to })} />
            </span>
            <input
              class="zone"
              aria-label="Time zone of the hours"
              list={ZONES}
              required
              value={form.timeZone}
              onInput={(event) => setForm({ ...form, timeZone: event.currentTarget.value })}
            />
            <TimeZones />
          </div>
        )}
        {form.mode !== "never" && (
          <>
            <label class="pin-fields">
              Context in tokens
              <input
                class="price"
                type="number"
                min="1"
                step="1"
                placeholder="Default"
                value={form.context}
                onInput={(event) => setForm({ ...form, context: event.currentTarget.value })}
              />
            </label>
            <FitLine model={model} box={box} context={form.context} />
          </>
        )}
        {state.error !== null && (
          <p role="alert" class="error-text">
            {state.error}
          </p>
        )}
        <FormActions
          close={() => dialog.current?.close()}
          action="Save"
          busyText="Saving…"
          isBusy={state.isBusy}
        />
      </form>
    </dialog>
  );
}

function FitLine({ model, box, context }: { model: string; box: string; context: string }) {
  const query = { model, ...(context !== "" && { context }) };
  const { data } = useQuery("/api/plan", { query }, null);
  const place = data?.boxes.find((each) => each.box === box);
  if (place === undefined) return null;
  const { label, detail, tone } = verdictOf(place, preferences.value.sizes);
  return (
    <p class={tone === "warn" || tone === "bad" ? "warn-text" : "quiet"}>
      {label === "unknown" ? detail : `${detail}.`}
    </p>
  );
}
