/**
 * The models installed on the boxes, with controls to load, unload, favourite, set as default and
 * delete them.
 */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import type { BoxPin } from "../../../protocol/api/pins.ts";
import type { LoadEvent } from "../../../protocol/api/planning.ts";
import type { RepositoryModel } from "../../../protocol/api/repository.ts";
import { call, callJson, errorMessage, read } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import { preferences } from "../../data/preferences.ts";
import { Empty, FailureNote, Pill, Section, TableScroll } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { StarIcon } from "../../parts/icons.tsx";
import { ActionsHead } from "../../parts/row-actions.tsx";
import { loadWarning } from "../../shape/fit.ts";
import { bytes } from "../../shape/format.ts";
import { isSameModel } from "../../shape/models.ts";
import { PinDialog } from "./pin-dialog.tsx";
import { ModelPlacement } from "./place.tsx";

type Model = InstalledModels["models"][number];

type Props = {
  models: readonly Model[];
  repository: readonly RepositoryModel[];
  boxes: readonly LiveBox[];
  isAdmin: boolean;
  changed: () => void;
};

function deletionText({ name, boxes, size }: Model): string {
  const download = bytes(size, preferences.value.sizes);
  return `Deletes ${name} from ${boxes.join(" and ")}. Restoring it means pulling ${download} again.`;
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

/** An action that others feel. */
type Asked = { title: string; text: string; action: string; run: () => void };

const pinOn = ({ pins }: LiveBox, model: string): BoxPin | null =>
  pins.find((pin) => isSameModel(pin.model, model)) ?? null;

function pinIn(boxes: readonly LiveBox[], at: { model: string; box: string }): BoxPin | null {
  const box = boxes.find(({ name }) => name === at.box);
  return box === undefined ? null : pinOn(box, at.model);
}

/** Returns what a load does to others; null if nothing, or if that is not known. */
async function warningOf(model: string, box: LiveBox): Promise<string | null> {
  const plan = await read("/api/plan", { query: { model } }).catch(() => null);
  const place = plan?.boxes.find((each) => each.box === box.name);
  return place === undefined ? null : loadWarning(place, box, preferences.value.sizes);
}

export function InstalledSection({ models, repository, boxes, isAdmin, changed }: Props) {
  const [deleting, setDeleting] = useState<Model | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [pinning, setPinning] = useState<{ model: string; box: string } | null>(null);
  const entryOf = (model: Model) =>
    repository.find(({ model_name }) => isSameModel(model_name, model.name));

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
    perform(`${model} ${box}`, () =>
      isWanted
        ? loadModel(model, box)
        : callJson("POST", "/api/models/unload", { body: { model, box } }),
    );
  /** Waits for a confirmation if others feel the effect. */
  const toggle = async (model: string, box: LiveBox, isLoaded: boolean) => {
    const pin = pinOn(box, model);
    const run = () => void setLoaded(model, box.name, !isLoaded);
    const named = `${isLoaded ? "Unload" : "Load"} ${model} on ${box.name}`;
    const warning = isLoaded
      ? pin?.is_due
        ? `${box.name} keeps it in memory, and loads it again soon. Change that under Kept.`
        : null
      : await warningOf(model, box);
    if (warning === null) run();
    else setAsked({ title: named, text: warning, action: isLoaded ? "Unload" : "Load", run });
  };
  const setPreference = (model: Model, body: { is_favorite: boolean } | { is_default: boolean }) =>
    perform(`${model.name} preference`, async () => {
      if (entryOf(model) === undefined)
        await callJson("POST", "/api/models/repository", { body: { model_name: model.name } });
      await callJson("PUT", "/api/models/repository/{name}", {
        params: { name: model.name },
        body,
      });
    });

  const rowOf = (model: Model) => {
    const entry = entryOf(model);
    const { family, parameter_size, quantization_level } = model.details;
    const mayChange = isAdmin && busy === null;
    return (
      <tr key={`${model.name} ${model.digest}`}>
        <td>
          <button
            type="button"
            class={entry?.is_favorite ? "plain star on" : "plain star"}
            aria-pressed={entry?.is_favorite ?? false}
            aria-label={`Favourite: ${model.name}`}
            disabled={!mayChange}
            onClick={() => setPreference(model, { is_favorite: !entry?.is_favorite })}
          >
            <StarIcon />
          </button>
        </td>
        <th scope="row">
          {model.name} {entry?.is_default && <Pill tone="accent">default</Pill>}
          <span class="below">
            {[family, parameter_size, quantization_level]
              .filter((part) => part !== null)
              .join(" · ")}
          </span>
        </th>
        <td class="number">{bytes(model.size, preferences.value.sizes)}</td>
        <td>
          <ul class="places">
            {model.boxes.map((name) => {
              const box = boxes.find((each) => each.name === name);
              const loaded = box?.loaded.find((each) => isSameModel(each.name, model.name)) ?? null;
              return (
                <ModelPlacement
                  key={name}
                  model={model.name}
                  box={name}
                  loaded={loaded}
                  pin={box === undefined ? null : pinOn(box, model.name)}
                  isDisabled={!mayChange || box === undefined}
                  isBusy={busy === `${model.name} ${name}`}
                  toggle={() => box && void toggle(model.name, box, loaded !== null)}
                  openPin={() => setPinning({ model: model.name, box: name })}
                />
              );
            })}
          </ul>
        </td>
        <td>
          <div class="row-actions">
            <a class="button small" href={`#/chat?model=${encodeURIComponent(model.name)}`}>
              Chat<span class="sr-only"> with {model.name}</span>
            </a>
            <button
              type="button"
              class="small"
              disabled={!mayChange || entry?.is_default}
              onClick={() => setPreference(model, { is_default: true })}
            >
              Make default<span class="sr-only">: {model.name}</span>
            </button>
            <button
              type="button"
              class="small danger"
              aria-label={`Delete ${model.name}`}
              disabled={!mayChange}
              onClick={() => setDeleting(model)}
            >
              Delete…
            </button>
          </div>
        </td>
      </tr>
    );
  };

  return (
    <Section
      title="Installed models"
      aside={
        <span class="aside">{models.length === 1 ? "1 model" : `${models.length} models`}</span>
      }
    >
      {error !== null && <FailureNote title="The action failed." detail={error} />}
      {models.length === 0 ? (
        <Empty title="No models on any connected box">
          <p>Pull a model below.</p>
        </Empty>
      ) : (
        <TableScroll label="Installed models by box">
          <table class="installed">
            <thead>
              <tr>
                <th scope="col">
                  <span class="sr-only">Favourite</span>
                </th>
                <th scope="col">Model</th>
                <th scope="col" class="number">
                  Size
                </th>
                <th scope="col">Boxes</th>
                <ActionsHead />
              </tr>
            </thead>
            <tbody>{models.map(rowOf)}</tbody>
          </table>
        </TableScroll>
      )}
      {!isAdmin && (
        <p class="quiet line">
          Loading, changing, pulling or deleting models needs a key with the models scope.
        </p>
      )}
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
      {deleting !== null && (
        <Confirm
          title={`Delete ${deleting.name}`}
          text={deletionText(deleting)}
          phrase={deleting.name}
          action={`Delete ${deleting.name}`}
          onConfirm={async () => {
            await callJson("DELETE", "/api/ollama/models/{name}", {
              params: { name: deleting.name },
            });
            changed();
          }}
          onClose={() => setDeleting(null)}
        />
      )}
    </Section>
  );
}
