/** Searches the model library and pulls a model, either from the list or by any other name. */
import { useEffect, useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { LibraryModel } from "../../../protocol/api/ollama.ts";
import { useQuery } from "../../data/query.ts";
import { Empty, FailureNote, Pill, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import { lazyDialog } from "../../parts/lazy.tsx";
import { ActionsHead } from "../../parts/row-actions.tsx";
import { Heads, NumberHeads } from "../../parts/table-heads.tsx";
import { UNKNOWN } from "../../shape/format.ts";
import { currentPull, Progress, runPull } from "./pull.tsx";
import type { Wanted } from "./pull-dialog.tsx";

const PullDialog = lazyDialog(async () => (await import("./pull-dialog.tsx")).PullDialog);

const TYPING_MS = 250;
/** Rows shown before "Show all" is pressed. */
const FIRST_ROWS = 10;

type Props = { boxes: readonly LiveBox[]; isAdmin: boolean; changed: () => void };

export function LibrarySection({ boxes, isAdmin, changed }: Props) {
  const [typed, setTyped] = useState("");
  const [search, setSearch] = useState("");
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [showsAll, setShowsAll] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSearch(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const { data, error, isLoading, refetch } = useQuery(
    "/api/ollama/library",
    { query: { q: search } },
    null,
  );
  const isBusy = currentPull.value?.state === "pulling";
  const isUnlisted =
    search !== "" &&
    data !== null &&
    !isLoading &&
    !data.models.some(({ name }) => name === search);
  const startPull = async (name: string, targets: string[]) => {
    await runPull(name, targets);
    changed();
    refetch();
  };

  return (
    <Section
      title="Pull a model"
      aside={
        data !== null && (
          <span class="aside" title={data.catalogue.about}>
            catalogue from {data.catalogue.date}
          </span>
        )
      }
    >
      <search class="filters">
        <input
          type="search"
          class="search"
          aria-label="Search the library or enter a model name"
          placeholder="Search the library or enter a model name"
          maxLength={200}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        {isUnlisted && (
          <button
            type="button"
            class="primary"
            disabled={!isAdmin || isBusy}
            onClick={() => setWanted({ name: search, size: null, installedOn: [] })}
          >
            Pull {search}
          </button>
        )}
      </search>
      {currentPull.value !== null && <Progress pull={currentPull.value} />}
      {error !== null && (
        <FailureNote title="Could not load the library." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={4} />
      ) : data.models.length === 0 ? (
        <Empty title="No matches in the catalogue">
          <p>Any model from Ollama's library or another registry can be pulled by name.</p>
        </Empty>
      ) : (
        <>
          <Table
            models={showsAll ? data.models : data.models.slice(0, FIRST_ROWS)}
            isDisabled={!isAdmin || isBusy}
            pull={({ name, size, installed_on }) =>
              setWanted({ name, size, installedOn: installed_on })
            }
          />
          {!showsAll && data.models.length > FIRST_ROWS && (
            <p class="pager">
              <button type="button" onClick={() => setShowsAll(true)}>
                Show all {data.models.length}
              </button>
            </p>
          )}
        </>
      )}
      {wanted !== null && (
        <PullDialog
          model={wanted}
          boxes={boxes}
          startPull={(targets) => startPull(wanted.name, targets)}
          onClose={() => setWanted(null)}
        />
      )}
    </Section>
  );
}

const Table = ({
  models,
  isDisabled,
  pull,
}: {
  models: readonly LibraryModel[];
  isDisabled: boolean;
  pull: (model: LibraryModel) => void;
}) => (
  <TableScroll label="Library">
    <table class="library">
      <thead>
        <tr>
          <Heads names={["Model", "Description", "Sizes"]} />
          <NumberHeads names={["Download"]} />
          <ActionsHead />
        </tr>
      </thead>
      <tbody>
        {models.map((model) => (
          <tr key={model.name}>
            <th scope="row">
              {model.name}{" "}
              {model.installed_on.length > 0 && (
                <Pill tone="good">on {model.installed_on.join(", ")}</Pill>
              )}
            </th>
            <td class="text">{model.description ?? UNKNOWN}</td>
            <td class="quiet">{model.parameter_sizes.join(" ") || UNKNOWN}</td>
            <td class="number">{model.size ?? UNKNOWN}</td>
            <td>
              <div class="row-actions">
                <button
                  type="button"
                  class="small"
                  disabled={isDisabled}
                  aria-label={`Pull ${model.name}`}
                  onClick={() => pull(model)}
                >
                  Pull…
                </button>
              </div>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </TableScroll>
);
