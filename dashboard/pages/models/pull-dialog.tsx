/** The choice of the boxes to pull a model to, with where it fits. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import { bytesOfSize } from "../../../protocol/model-memory.ts";
import { preferences } from "../../data/preferences.ts";
import { Simulated } from "../../parts/basics.tsx";
import { FormActions } from "../../parts/dialog.tsx";
import { bytes } from "../../shape/format.ts";
import { type PullTarget, pullTargets } from "../../shape/pull-target.ts";

/** A model to pull. */
export type Wanted = { name: string; size: string | null; installedOn: readonly string[] };

type Props = {
  model: Wanted;
  boxes: readonly LiveBox[];
  startPull: (boxes: string[]) => void;
  onClose: () => void;
};

export function PullDialog({ model, boxes, startPull, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const targets = pullTargets(boxes, bytesOfSize(model.size), model.installedOn);
  const up = targets.filter(({ isUp }) => isUp);
  // With several boxes none is chosen in advance, because a pull may take tens of gigabytes of
  // each.
  const [chosen, setChosen] = useState<readonly string[]>(
    up.length === 1 ? up.map(({ name }) => name) : [],
  );
  useEffect(() => dialog.current?.showModal(), []);

  const confirm = (event: Event) => {
    event.preventDefault();
    if (chosen.length === 0) return;
    startPull([...chosen]);
    dialog.current?.close();
  };
  const toggle = (name: string) =>
    setChosen((before) =>
      before.includes(name) ? before.filter((each) => each !== name) : [...before, name],
    );

  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="pull-title">
      <form onSubmit={confirm}>
        <h2 id="pull-title">Pull {model.name}</h2>
        <p>
          {model.size === null
            ? "The size of this model is not known in advance."
            : `Downloads ${model.size} to each chosen box.`}
        </p>
        <fieldset class="targets">
          <legend>Boxes</legend>
          {targets.map((target) => (
            <label key={target.name}>
              <input
                type="checkbox"
                checked={chosen.includes(target.name)}
                disabled={!target.isUp}
                onChange={() => toggle(target.name)}
              />
              <span>
                <strong>{target.name}</strong> {target.isSimulated && <Simulated />}
                <Fit target={target} size={model.size} />
              </span>
            </label>
          ))}
        </fieldset>
        <FormActions
          close={() => dialog.current?.close()}
          action={actionOf(chosen)}
          isReady={chosen.length > 0}
        />
      </form>
    </dialog>
  );
}

function actionOf(chosen: readonly string[]): string {
  const [first] = chosen;
  if (first === undefined) return "Choose a box";
  return chosen.length === 1 ? `Pull to ${first}` : `Pull to ${chosen.length} boxes`;
}

function Fit({ target, size }: { target: PullTarget; size: string | null }) {
  if (!target.isUp) return <span class="below">Not connected</span>;
  return (
    <>
      {target.isInstalled && <span class="below">Already installed; pulling updates it</span>}
      <span class={target.fitsDisk === false ? "below error-text" : "below"}>
        {diskText(target, size)}
      </span>
      <span class={target.fitsVram === false ? "below warn-text" : "below"}>
        {vramText(target)}
      </span>
    </>
  );
}

function diskText({ freeDiskBytes, fitsDisk }: PullTarget, size: string | null): string {
  if (freeDiskBytes === null) return "Free disk unknown";
  const free = `${bytes(freeDiskBytes, preferences.value.sizes)} free on disk`;
  if (fitsDisk === false) return `Does not fit: needs ${size}, ${free}`;
  return fitsDisk === null ? free : `Fits on disk: ${free}`;
}

function vramText({ hasGpu, vramBytes, fitsVram }: PullTarget): string {
  if (!hasGpu) return "No GPU: runs on the CPU";
  if (vramBytes === null) return "VRAM unknown";
  const vram = `${bytes(vramBytes, preferences.value.sizes)} VRAM`;
  if (fitsVram === false) return `Larger than its ${vram}: runs partly on the CPU`;
  return fitsVram === null ? vram : `Fits in its ${vram}`;
}
