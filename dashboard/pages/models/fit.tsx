/** The question whether a model fits and where: one that a box has, or any of a size. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Pill, Section } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { contextText, type FitVerdict, verdictOf } from "../../shape/fit.ts";
import { roomVerdict, typedSize } from "../../shape/room-verdict.ts";

type Props = { models: InstalledModels["models"]; boxes: readonly LiveBox[] };

export function FitSection({ models, boxes }: Props) {
  const [model, setModel] = useState("");
  const [context, setContext] = useState("");
  const { query } = place.value;
  const size = query.fit ?? "";
  const fileBytes = typedSize(size);
  const names = [...new Set(models.map(({ name }) => name))];
  return (
    <Section title="Does it fit?">
      <div class="bench-bar">
        <label>
          A model of{" "}
          <input
            class="fit-size"
            aria-label="Size of a model"
            placeholder="20 GB"
            autocomplete="off"
            spellcheck={false}
            aria-invalid={size !== "" && fileBytes === null}
            value={size}
            onInput={({ currentTarget }) =>
              replaceQuery("models", { ...query, fit: currentTarget.value || undefined })
            }
          />
        </label>
        <label>
          or{" "}
          <select
            aria-label="Model to place"
            value={model}
            onChange={(event) => setModel(event.currentTarget.value)}
          >
            <option value="">Choose a model</option>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          with a context of{" "}
          <input
            class="price"
            type="number"
            min="1"
            step="1"
            aria-label="Context in tokens"
            placeholder="As loaded"
            value={context}
            onInput={(event) => setContext(event.currentTarget.value)}
          />{" "}
          tokens
        </label>
      </div>
      {fileBytes !== null && (
        <Verdicts
          question={`A model of ${/[a-z]/i.test(size) ? size.trim() : `${size.trim()} GB`}`}
          note="By the size of its files. For a model that a box has, choose it: boxes have measured it."
          verdicts={boxes.map((box) => ({
            box: box.name,
            ...roomVerdict(box, fileBytes, preferences.value.sizes),
          }))}
        />
      )}
      {model !== "" && <FitAnswer model={model} context={context} />}
    </Section>
  );
}

export function FitAnswer({ model, context }: { model: string; context: string }) {
  const query = { model, ...(context !== "" && { context }) };
  const { data, error, refetch } = useQuery("/api/plan", { query }, 10_000);
  if (error !== null)
    return <FailureNote title="Could not plan this." detail={error} retry={refetch} />;
  if (data === null) return null;
  return (
    <Verdicts
      question={`${data.model} ${contextText(data)}`}
      note="By what boxes have measured."
      verdicts={data.boxes.map((planned) => ({
        box: planned.box,
        ...verdictOf(planned, preferences.value.sizes),
      }))}
    />
  );
}

type VerdictsProps = {
  question: string;
  note: string;
  verdicts: readonly (FitVerdict & { box: string })[];
};

const Verdicts = ({ question, note, verdicts }: VerdictsProps) => (
  <div class="card" role="status">
    <h3 class="fit-question">{question}</h3>
    <ul class="fits">
      {verdicts.map(({ box, tone, label, detail }) => (
        <li key={box}>
          <strong>
            <BoxCell box={box} isBrief isLink />
          </strong>
          <Pill tone={tone}>{label}</Pill>
          <span class="quiet">{detail}</span>
        </li>
      ))}
    </ul>
    <p class="footnote">{note}</p>
  </div>
);
