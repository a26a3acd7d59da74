/**
 * The models installed on the boxes, with controls to load, unload, favourite, set as default and
 * delete them.
 */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import type { RepositoryModel } from "../../../protocol/api/repository.ts";
import { callJson, errorMessage } from "../../data/api.ts";
import { preferences } from "../../data/preferences.ts";
import { Empty, FailureNote, Pill, Section, TableScroll } from "../../parts/basics.tsx";
import { TypedConfirm } from "../../parts/dialog.tsx";
import { StarIcon } from "../../parts/icons.tsx";
import { bytes } from "../../shape/format.ts";
import { isSameModel } from "../../shape/models.ts";
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

export function InstalledSection({ models, repository, boxes, isAdmin, changed }: Props) {
  const [deleting, setDeleting] = useState<Model | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
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
  const setLoaded = (model: Model, box: string, isWanted: boolean) =>
    perform(`${model.name} ${box}`, () =>
      callJson("POST", isWanted ? "/api/models/load" : "/api/models/unload", {
        body: { model: model.name, box },
      }),
    );
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
              const loaded =
                boxes
                  .find((box) => box.name === name)
                  ?.loaded.find((each) => isSameModel(each.name, model.name)) ?? null;
              return (
                <ModelPlacement
                  key={name}
                  model={model.name}
                  box={name}
                  loaded={loaded}
                  isDisabled={!mayChange}
                  isBusy={busy === `${model.name} ${name}`}
                  toggle={() => setLoaded(model, name, loaded === null)}
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
                <th scope="col">
                  <span class="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>{models.map(rowOf)}</tbody>
          </table>
        </TableScroll>
      )}
      {!isAdmin && (
        <p class="quiet line">
          Loading, changing, pulling or deleting models needs a key with the admin scope.
        </p>
      )}
      {deleting !== null && (
        <TypedConfirm
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
