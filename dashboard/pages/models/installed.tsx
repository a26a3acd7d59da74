/**
 * The models installed on the boxes, with controls to load, unload, favourite, set as default and
 * delete them.
 */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import type { RepositoryModel } from "../../../protocol/api/repository.ts";
import { callJson } from "../../data/api.ts";
import { preferences } from "../../data/preferences.ts";
import { Empty, Pill, Section, TableScroll } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { StarIcon } from "../../parts/icons.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import { ActionsHead } from "../../parts/row-actions.tsx";
import { NumberHeads } from "../../parts/table-heads.tsx";
import { bytes } from "../../shape/format.ts";
import { isSameModel, untagged } from "../../shape/models.ts";
import { useModelActions } from "./actions.tsx";

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
  const { busy, perform, placement, failure, dialogs } = useModelActions(boxes, isAdmin, changed);
  const entryOf = (model: Model) =>
    repository.find(({ model_name }) => isSameModel(model_name, model.name));

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
          <ModelLink model={untagged(model.name)} />{" "}
          {entry?.is_default && <Pill tone="accent">default</Pill>}
          <span class="below">
            {[family, parameter_size, quantization_level]
              .filter((part) => part !== null)
              .join(" · ")}
          </span>
        </th>
        <td class="number">{bytes(model.size, preferences.value.sizes)}</td>
        <td>
          <ul class="places">{model.boxes.map((name) => placement(model.name, name))}</ul>
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
      {failure}
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
                <NumberHeads names={["Size"]} />
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
      {dialogs}
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
