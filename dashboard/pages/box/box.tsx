/** The page of one box: what it does now, its models, GPUs, energy, benches and events. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import { live, refreshNow } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo, scope } from "../../data/scope.ts";
import { hasScope } from "../../data/self.ts";
import { Empty, Section, Skeleton } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { ConcernLine } from "../../parts/concern-line.tsx";
import { whenSeen } from "../../parts/when-seen.tsx";
import { hasRow } from "../../shape/attention.ts";
import { ActivityPanels } from "../overview/activity-panels.tsx";
import { useActivity } from "../overview/period.tsx";
import { InFlightList } from "../requests/in-flight.tsx";
import { GpuCard } from "../system/gpu-card.tsx";
import { MachineCard } from "../system/machine-card.tsx";
import { EnergySpent } from "../system/power.tsx";
import { BoxHead } from "./box-head.tsx";
import { BoxModels } from "./box-models.tsx";

const BoxBelow = whenSeen(async () => (await import("./box-below.tsx")).BoxBelow);

export function BoxPage() {
  const latest = live.value;
  if (latest === null) return <Skeleton lines={4} tall />;
  const { boxes } = latest.value;
  const box = boxes.find(({ name }) => name === scope.value.box);
  return box === undefined ? <Unknown boxes={boxes} /> : <Known key={box.name} box={box} />;
}

const Unknown = ({ boxes }: { boxes: readonly LiveBox[] }) => (
  <Empty title={scope.value.box === null ? "Which box?" : `No box is named ${scope.value.box}`}>
    <ul class="choices">
      {boxes.map(({ name }) => (
        <li key={name}>
          <BoxCell box={name} isLink />
        </li>
      ))}
    </ul>
  </Empty>
);

function Known({ box }: { box: LiveBox }) {
  const { name, gpus, gpu_error, state } = box;
  const { health, in_flight } = live.value?.value ?? {};
  const { now, before } = useActivity();
  const installed = useQuery("/api/ollama/models", {}, 15_000);
  const models = (installed.data?.models ?? []).filter(({ boxes }) => boxes.includes(name));
  const concerns = (health?.concerns ?? []).filter(
    (concern) => hasRow(concern) && "box" in concern.subject && concern.subject.box === name,
  );
  const changed = () => {
    installed.refetch();
    refreshNow();
  };
  const mayChange = hasScope("models");
  return (
    <>
      <BoxHead box={box} />
      <ConcernLine label="Wrong now" concerns={concerns}>
        Nothing is wrong here.
      </ConcernLine>
      <ActivityPanels now={now} before={before} />
      {state !== "down" && (
        <InFlightList
          requests={(in_flight ?? []).filter((request) => request.box === name)}
          opened={null}
          open={(id) => {
            location.hash = linkTo("requests", {}, { open: id });
          }}
        />
      )}
      <BoxModels box={box} models={models} mayChange={mayChange} changed={changed} />
      <Section title="GPUs">
        <EnergySpent boxes={[box]} />
        {gpus.length === 0 && <p class="quiet">{gpu_error ?? "No GPU"}</p>}
        <ul class="cards">
          {gpus.map((gpu) => (
            <GpuCard key={gpu.index} gpu={gpu} concerns={health?.concerns ?? []} />
          ))}
          <MachineCard box={box} concerns={health?.concerns ?? []} isAdmin={hasScope("admin")} />
        </ul>
      </Section>
      <BoxBelow
        box={box}
        models={models.map((model) => ({ ...model, boxes: [name] }))}
        mayChange={mayChange}
      />
    </>
  );
}
