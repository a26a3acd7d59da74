/** The page of one model: where it is, how fast it is there, what slows it down, and what it costs. */
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import type { ModelStats } from "../../../protocol/api/stats.ts";
import { live, refreshNow } from "../../data/live.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo, scope } from "../../data/scope.ts";
import { hasScope } from "../../data/self.ts";
import { Empty, Pill, Section, Skeleton } from "../../parts/basics.tsx";
import { ConcernLine } from "../../parts/concern-line.tsx";
import { ColouredName, ModelLink } from "../../parts/place-links.tsx";
import { bytes } from "../../shape/format.ts";
import { keepAliveAdvice } from "../../shape/keep-alive.ts";
import { isSameModel } from "../../shape/models.ts";
import { useModelActions } from "../models/actions.tsx";
import { BenchLater } from "../models/bench-later.tsx";
import { FitAnswer } from "../models/fit.tsx";
import { ActivityPanels } from "../overview/activity-panels.tsx";
import { useActivity } from "../overview/period.tsx";
import { ModelRequests } from "./model-requests.tsx";
import { ModelTotals } from "./model-totals.tsx";

export function ModelPage() {
  const { model } = scope.value;
  const installed = useQuery("/api/ollama/models", {}, 15_000);
  const usage = useQuery("/api/models", {}, 15_000);
  if (live.value === null || installed.data === null || usage.data === null)
    return <Skeleton lines={4} tall />;
  if (model === null)
    return (
      <Empty title="Which model?">
        <ul class="choices">
          {installed.data.models.map(({ name, digest }) => (
            <li key={`${name} ${digest}`}>
              <ModelLink model={name} />
            </li>
          ))}
        </ul>
      </Empty>
    );
  const changed = () => {
    installed.refetch();
    refreshNow();
  };
  return (
    <Known
      key={model}
      model={model}
      builds={installed.data.models.filter(({ name }) => isSameModel(name, model))}
      usage={usage.data.models.find(({ name }) => isSameModel(name, model)) ?? null}
      changed={changed}
    />
  );
}

type Props = {
  model: string;
  /** The files of this name: another box may have others. */
  builds: InstalledModels["models"];
  usage: ModelStats | null;
  changed: () => void;
};

function Known({ model, builds, usage, changed }: Props) {
  const { boxes = [], health } = live.value?.value ?? {};
  const { now, before } = useActivity();
  const mayChange = hasScope("models");
  const { placement, failure, dialogs } = useModelActions(boxes, mayChange, changed);
  const concerns = (health?.concerns ?? []).filter(
    ({ subject }) => subject.kind === "model" && isSameModel(subject.model, model),
  );
  const isThere = builds.length > 0;
  return (
    <>
      <header class="detail-head">
        <div>
          <h2>
            <ColouredName model={model} />
            {!isThere && <Pill tone="quiet">on no connected box</Pill>}
          </h2>
          <p class="quiet">{builds.map(buildText).join("; ")}</p>
        </div>
        <div class="actions">
          <a class="button" href={linkTo("requests", { model })}>
            Requests
          </a>
          {isThere && hasScope("infer") && (
            <a class="button" href={linkTo("chat", { model })}>
              Chat
            </a>
          )}
        </div>
      </header>
      <ConcernLine label="Wrong now" concerns={concerns}>
        Nothing is wrong here.
      </ConcernLine>
      <ActivityPanels now={now} before={before} />
      {isThere && (
        <Section title="Where it is">
          {failure}
          <div class="halves">
            <div class="card">
              <ul class="places">
                {builds.flatMap((build) => build.boxes.map((box) => placement(build.name, box)))}
              </ul>
            </div>
            <FitAnswer model={model} context="" />
          </div>
          {dialogs}
        </Section>
      )}
      <ModelRequests model={model} advice={keepAliveAdvice(concerns)} />
      {usage !== null && <ModelTotals usage={usage} />}
      <BenchLater
        models={builds}
        boxes={boxes}
        narrowing={{ model: builds[0]?.name ?? model }}
        isAdmin={mayChange}
      />
    </>
  );
}

function buildText({ details, size, boxes }: Props["builds"][number]): string {
  const { family, parameter_size, quantization_level } = details;
  return [
    family,
    parameter_size,
    quantization_level,
    `${bytes(size, preferences.value.sizes)} on ${boxes.join(", ")}`,
  ]
    .filter((part) => part !== null)
    .join(" · ");
}
