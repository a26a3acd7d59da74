/** The question whether a model fits with a context, and where. */
import { useState } from "preact/hooks";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Pill, Section } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { contextText, verdictOf } from "../../shape/fit.ts";

type Props = { models: InstalledModels["models"] };

export function FitSection({ models }: Props) {
  const [model, setModel] = useState("");
  const [context, setContext] = useState("");
  const names = [...new Set(models.map(({ name }) => name))];
  return (
    <Section title="Does it fit?" aside={<span class="aside">by what boxes have measured</span>}>
      <div class="bench-bar">
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
      {model !== "" && <Answer model={model} context={context} />}
    </Section>
  );
}

function Answer({ model, context }: { model: string; context: string }) {
  const query = { model, ...(context !== "" && { context }) };
  const { data, error, refetch } = useQuery("/api/plan", { query }, 10_000);
  if (error !== null)
    return <FailureNote title="Could not plan this." detail={error} retry={refetch} />;
  if (data === null) return null;
  return (
    <div class="card" role="status">
      <h3 class="fit-question">
        {data.model} {contextText(data)}
      </h3>
      <ul class="fits">
        {data.boxes.map((place) => {
          const { tone, label, detail } = verdictOf(place, preferences.value.sizes);
          return (
            <li key={place.box}>
              <strong>
                <BoxCell box={place.box} />
              </strong>
              <Pill tone={tone}>{label}</Pill>
              <span class="quiet">{detail}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
