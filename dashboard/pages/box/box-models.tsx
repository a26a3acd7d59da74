/** The models of a box, in memory and on disk, what still fits, and a pull to this box. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import { preferences } from "../../data/preferences.ts";
import { Empty, Section } from "../../parts/basics.tsx";
import { lazyDialog } from "../../parts/lazy.tsx";
import { bytes } from "../../shape/format.ts";
import { isSameModel } from "../../shape/models.ts";
import { useModelActions } from "../models/actions.tsx";
import { currentPull, Progress, runPull } from "../models/pull.tsx";
import { Memory } from "../overview/memory.tsx";

const PullDialog = lazyDialog(async () => (await import("../models/pull-dialog.tsx")).PullDialog);

type Props = {
  box: LiveBox;
  /** The models on its disk. */
  models: InstalledModels["models"];
  mayChange: boolean;
  changed: () => void;
};

export function BoxModels({ box, models, mayChange, changed }: Props) {
  const { placement, failure, dialogs } = useModelActions([box], mayChange, changed);
  const isLoaded = ({ name }: { name: string }) =>
    box.loaded.some((loaded) => isSameModel(loaded.name, name));
  const [inMemory, onDisk] = [models.filter(isLoaded), models.filter((each) => !isLoaded(each))];
  const { sizes } = preferences.value;
  return (
    <Section title="Models">
      {failure}
      <div class="card box-models">
        {box.state !== "down" && <Memory box={box} />}
        {models.length === 0 ? (
          <Empty title="No models on this box" />
        ) : (
          <ul class="places">
            {[...inMemory, ...onDisk].map(({ name, size }) =>
              placement(name, box.name, `${bytes(size, sizes)} on disk`),
            )}
          </ul>
        )}
        {currentPull.value !== null && <Progress pull={currentPull.value} />}
        {mayChange && box.state === "up" && <PullHere box={box} changed={changed} />}
      </div>
      {dialogs}
    </Section>
  );
}

function PullHere({ box, changed }: { box: LiveBox; changed: () => void }) {
  const [typed, setTyped] = useState("");
  const [isAsked, setIsAsked] = useState(false);
  const name = typed.trim();
  const isBusy = currentPull.value?.state === "pulling";
  return (
    <form
      class="pull-here"
      onSubmit={(event) => {
        event.preventDefault();
        setIsAsked(name !== "");
      }}
    >
      <input
        aria-label={`Model to pull to ${box.name}`}
        placeholder="Pull another model, such as qwen3:8b"
        autocomplete="off"
        spellcheck={false}
        maxLength={200}
        value={typed}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
      />
      <button type="submit" disabled={name === "" || isBusy}>
        Pull…
      </button>
      {isAsked && (
        <PullDialog
          model={{ name, size: null, installedOn: [] }}
          boxes={[box]}
          startPull={async (targets) => {
            await runPull(name, targets);
            changed();
          }}
          onClose={() => setIsAsked(false)}
        />
      )}
    </form>
  );
}
