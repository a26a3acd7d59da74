/** Loads, unloads and keeps models on boxes, after a confirmation if others feel it. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { BoxPin } from "../../../protocol/api/pins.ts";
import type { LoadEvent } from "../../../protocol/api/planning.ts";
import { call, callJson, errorMessage, read } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import { preferences } from "../../data/preferences.ts";
import { FailureNote } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { lazyDialog } from "../../parts/lazy.tsx";
import { loadWarning } from "../../shape/fit.ts";
import { isSameModel } from "../../shape/models.ts";
import { ModelPlacement } from "./place.tsx";

const PinDialog = lazyDialog(async () => (await import("./pin-dialog.tsx")).PinDialog);

export type ModelActions = {
  /** The name of the action in progress; null: none. */
  busy: string | null;
  /** Does something, and shows its error. */
  perform: (name: string, action: () => Promise<unknown>) => Promise<void>;
  /**
   * A model on a box, with its state and what can be done with it.
   * @param onDisk  its size, for the list of a box, which names the model instead of the box
   */
  placement: (model: string, box: string, onDisk?: string) => JSX.Element;
  /** The error of the last action. */
  failure: JSX.Element | null;
  dialogs: JSX.Element;
};

/** A question before an action that others feel. */
type Asked = { title: string; text: string; action: string; run: () => void };

/** @param changed  runs after each action, e.g. to read the models again */
export function useModelActions(
  boxes: readonly LiveBox[],
  mayChange: boolean,
  changed: () => void,
): ModelActions {
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [pinning, setPinning] = useState<{ model: string; box: string } | null>(null);

  const perform = async (name: string, action: () => Promise<unknown>) => {
    setBusy(name);
    setError(null);
    try {
      await action();
      changed();
    } catch (caught) {
      setError(errorMessage(caught));
    }
    setBusy(null);
  };
  const setLoaded = (model: string, box: string, isWanted: boolean) =>
    perform(placeOf(model, box), () =>
      isWanted
        ? loadModel(model, box)
        : callJson("POST", "/api/models/unload", { body: { model, box } }),
    );
  const toggle = async (model: string, box: LiveBox, isLoaded: boolean) => {
    const run = () => void setLoaded(model, box.name, !isLoaded);
    const warning = isLoaded
      ? pinOn(box, model)?.is_due
        ? `${box.name} keeps it in memory, and loads it again soon. Change that under Kept.`
        : null
      : await warningOf(model, box);
    const action = isLoaded ? "Unload" : "Load";
    if (warning === null) run();
    else setAsked({ title: `${action} ${model} on ${box.name}`, text: warning, action, run });
  };
  const placement = (model: string, name: string, onDisk?: string) => {
    const box = boxes.find((each) => each.name === name);
    const loaded = box?.loaded.find((each) => isSameModel(each.name, model)) ?? null;
    return (
      <ModelPlacement
        key={placeOf(model, name)}
        model={model}
        box={name}
        onDisk={onDisk ?? null}
        loaded={loaded}
        pin={box === undefined ? null : pinOn(box, model)}
        isDisabled={!mayChange || busy !== null || box === undefined}
        isBusy={busy === placeOf(model, name)}
        toggle={() => box && void toggle(model, box, loaded !== null)}
        openPin={() => setPinning({ model, box: name })}
      />
    );
  };
  const dialogs = (
    <>
      {asked !== null && (
        <Confirm {...asked} onConfirm={() => void asked.run()} onClose={() => setAsked(null)} />
      )}
      {pinning !== null && (
        <PinDialog
          {...pinning}
          pin={pinIn(boxes, pinning)}
          changed={changed}
          onClose={() => setPinning(null)}
        />
      )}
    </>
  );
  const failure = error === null ? null : <FailureNote title="The action failed." detail={error} />;
  return { busy, perform, placement, failure, dialogs };
}

const placeOf = (model: string, box: string): string => `${model} ${box}`;

const pinOn = ({ pins }: LiveBox, model: string): BoxPin | null =>
  pins.find((pin) => isSameModel(pin.model, model)) ?? null;

function pinIn(boxes: readonly LiveBox[], at: { model: string; box: string }): BoxPin | null {
  const box = boxes.find(({ name }) => name === at.box);
  return box === undefined ? null : pinOn(box, at.model);
}

/** Loads a model. A proxy before the edge would give up on an answer that begins after the load. */
async function loadModel(model: string, box: string): Promise<void> {
  const response = await call("POST", "/api/models/load", {
    body: { model, box },
    headers: { accept: "text/event-stream" },
  });
  let last: LoadEvent | null = null;
  for await (const event of jsonEvents<LoadEvent>(response)) last = event;
  if (last?.status === "failed") throw new Error(last.error);
  if (last?.status !== "loaded") throw new Error("The connection was lost during the load.");
}

/** Returns the effect of a load on others; null if it has none, or if that is not known. */
async function warningOf(model: string, box: LiveBox): Promise<string | null> {
  const plan = await read("/api/plan", { query: { model } }).catch(() => null);
  const place = plan?.boxes.find((each) => each.box === box.name);
  return place === undefined ? null : loadWarning(place, box, preferences.value.sizes);
}
