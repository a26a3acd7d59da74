/** Search what can be pulled, and pull it: by a name from the list, or by any other. */
import { useEffect, useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { LibraryModel } from "../../../protocol/api/ollama.ts";
import { useRead } from "../../data/query.ts";
import { Empty, FailureNote, Pill, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import { UNKNOWN } from "../../shape/format.ts";
import { currentPull, Progress, runPull } from "./pull.tsx";

const TYPING_MS = 250;
/** Rows that are shown before somebody wants all. */
const FIRST = 10;

type Props = { boxes: readonly LiveBox[]; isAdmin: boolean; changed: () => void };

export function LibrarySection({ boxes, isAdmin, changed }: Props) {
  const [typed, setTyped] = useState("");
  const [sought, setSought] = useState("");
  const [box, setBox] = useState("");
  const [isWhole, setIsWhole] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSought(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const { data, error, isLoading, refetch } = useRead(
    "/api/ollama/library",
    { query: { q: sought } },
    null,
  );
  const isBusy = currentPull.value?.state === "pulling";
  const isUnlisted =
    sought !== "" &&
    data !== null &&
    !isLoading &&
    !data.models.some(({ name }) => name === sought);
  const begin = async (name: string) => {
    await runPull(name, box);
    changed();
    refetch();
  };

  return (
    <Section
      title="Pull a model"
      aside={
        data !== null && (
          <span class="aside" title={data.catalogue.about}>
            catalogue of {data.catalogue.date}
          </span>
        )
      }
    >
      <search class="filters">
        <input
          type="search"
          class="search"
          aria-label="Search the library, or name a model"
          placeholder="Search the library, or name a model"
          maxLength={200}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <label class="pick">
          <span class="sr-only">Onto which box</span>
          <select value={box} onChange={(event) => setBox(event.currentTarget.value)}>
            <option value="">onto all boxes</option>
            {boxes.map(({ name, state }) => (
              <option key={name} value={name} disabled={state !== "up"}>
                onto {name}
              </option>
            ))}
          </select>
        </label>
        {isUnlisted && (
          <button
            type="button"
            class="primary"
            disabled={!isAdmin || isBusy}
            onClick={() => begin(sought)}
          >
            Pull {sought}
          </button>
        )}
      </search>
      {currentPull.value !== null && <Progress pull={currentPull.value} />}
      {error !== null && (
        <FailureNote what="The library could not be read." why={error} again={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={4} />
      ) : data.models.length === 0 ? (
        <Empty title="The catalogue has nothing like that">
          <p>Any model of Ollama's library, or of a registry, can be pulled by its name.</p>
        </Empty>
      ) : (
        <>
          <Table
            models={isWhole ? data.models : data.models.slice(0, FIRST)}
            isDisabled={!isAdmin || isBusy}
            begin={begin}
          />
          {!isWhole && data.models.length > FIRST && (
            <p class="pager">
              <button type="button" onClick={() => setIsWhole(true)}>
                Show all {data.models.length}
              </button>
            </p>
          )}
        </>
      )}
    </Section>
  );
}

const Table = ({
  models,
  isDisabled,
  begin,
}: {
  models: readonly LibraryModel[];
  isDisabled: boolean;
  begin: (name: string) => void;
}) => (
  <TableScroll label="Library">
    <table class="library">
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col">What it is</th>
          <th scope="col">Sizes</th>
          <th scope="col" class="number">
            Download
          </th>
          <th scope="col">
            <span class="sr-only">Actions</span>
          </th>
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
              <div class="row-acts">
                <button
                  type="button"
                  class="small"
                  disabled={isDisabled}
                  onClick={() => begin(model.name)}
                >
                  Pull<span class="sr-only"> {model.name}</span>
                </button>
              </div>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </TableScroll>
);
