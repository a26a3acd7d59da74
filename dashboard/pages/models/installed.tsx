/** What is on the disks of the boxes, and what of it is in memory: loaded, unloaded, preferred, deleted here. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import type { RepositoryModel } from "../../../protocol/api/repository.ts";
import { ask, call, wordsOf } from "../../data/api.ts";
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
  mayInfer: boolean;
  changed: () => void;
};

export function InstalledSection({ models, repository, boxes, isAdmin, mayInfer, changed }: Props) {
  const [deleting, setDeleting] = useState<Model | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const entryOf = (model: Model) =>
    repository.find(({ model_name }) => isSameModel(model_name, model.name));

  const act = async (what: string, action: () => Promise<unknown>) => {
    setBusy(what);
    setError(null);
    try {
      await action();
      changed();
    } catch (caught) {
      setError(wordsOf(caught));
    }
    setBusy(null);
  };
  /** A prompt that is not there loads; with `keep_alive: 0` it unloads. As Ollama's own API has it. */
  const keep = (model: Model, box: string, isWanted: boolean) =>
    act(`${model.name} ${box}`, () =>
      call("POST", "/ollama/api/generate", {
        body: { model: model.name, stream: false, ...(!isWanted && { keep_alive: 0 }) },
        headers: { "x-box": box },
      }),
    );
  const prefer = (model: Model, said: { is_favorite: boolean } | { is_default: boolean }) =>
    act(`${model.name} preference`, async () => {
      if (entryOf(model) === undefined)
        await ask("POST", "/api/models/repository", { body: { model_name: model.name } });
      await ask("PUT", "/api/models/repository/{name}", {
        params: { name: model.name },
        body: said,
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
            onClick={() => prefer(model, { is_favorite: !entry?.is_favorite })}
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
                  isDisabled={!mayInfer || busy !== null}
                  isBusy={busy === `${model.name} ${name}`}
                  toggle={() => keep(model, name, loaded === null)}
                />
              );
            })}
          </ul>
        </td>
        <td>
          <div class="row-acts">
            <a class="button small" href={`#/chat?model=${encodeURIComponent(model.name)}`}>
              Chat<span class="sr-only"> with {model.name}</span>
            </a>
            <button
              type="button"
              class="small"
              disabled={!mayChange || entry?.is_default}
              onClick={() => prefer(model, { is_default: true })}
            >
              Make default<span class="sr-only">: {model.name}</span>
            </button>
            <button
              type="button"
              class="small danger"
              disabled={!mayChange}
              onClick={() => setDeleting(model)}
            >
              Delete<span class="sr-only"> {model.name}</span> …
            </button>
          </div>
        </td>
      </tr>
    );
  };

  return (
    <Section
      title="On the boxes"
      aside={
        <span class="aside">{models.length === 1 ? "1 model" : `${models.length} models`}</span>
      }
    >
      {error !== null && <FailureNote what="That did not work." why={error} />}
      {models.length === 0 ? (
        <Empty title="No box that is up has a model">
          <p>Pull one below.</p>
        </Empty>
      ) : (
        <TableScroll label="Models on the boxes">
          <table class="installed">
            <thead>
              <tr>
                <th scope="col">
                  <span class="sr-only">Favourite</span>
                </th>
                <th scope="col">Model</th>
                <th scope="col" class="number">
                  On disk
                </th>
                <th scope="col">Where</th>
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
        <p class="quiet line">Preferences, pulls and deletes need a key with the scope admin.</p>
      )}
      {deleting !== null && (
        <TypedConfirm
          title={`Delete ${deleting.name}`}
          text={`Deletes ${deleting.name} from ${deleting.boxes.join(" and ")}. To have it again it must be pulled again: ${bytes(deleting.size, preferences.value.sizes)}.`}
          typed={deleting.name}
          act={`Delete ${deleting.name}`}
          onConfirm={async () => {
            await ask("DELETE", "/api/ollama/models/{name}", { params: { name: deleting.name } });
            changed();
          }}
          onClose={() => setDeleting(null)}
        />
      )}
    </Section>
  );
}
