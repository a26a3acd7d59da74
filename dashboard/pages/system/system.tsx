/** The GPU & system page: each GPU, the history, and each box's CPU, memory and disk. */
import { live } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo, scope } from "../../data/scope.ts";
import { Section, Skeleton } from "../../parts/basics.tsx";
import { NoBox } from "../../parts/install.tsx";
import { GpuCard } from "./gpu-card.tsx";
import { MachineHistory } from "./history.tsx";
import { MachineCard } from "./machine-card.tsx";
import { EnergySpent, PowerNow } from "./power.tsx";

export function SystemPage() {
  const config = useQuery("/api/config", {}, null);
  const tariff = useQuery("/api/tariff", {}, 60_000);
  const isAdmin = config.data?.scopes.includes("admin") ?? false;
  const latest = live.value;
  if (latest === null) return <Skeleton lines={4} tall />;
  const { boxes, health } = latest.value;
  if (boxes.length === 0) return <NoBox />;
  const chosen = scope.value.box ?? "";
  const shown = boxes.filter(({ name }) => chosen === "" || name === chosen);
  const gpus = shown.flatMap((box) => box.gpus);
  const withoutGpu = shown.filter((box) => box.gpus.length === 0);
  return (
    <>
      <Section title="GPUs">
        <PowerNow gpus={gpus} tariff={tariff.data} />
        <EnergySpent boxes={shown} />
        <p class="line">
          <a href={linkTo("usage")}>Usage and energy over time, by model, box and key</a>
        </p>
        <ul class="cards">
          {gpus.map((gpu) => (
            <GpuCard key={`${gpu.box} ${gpu.index}`} gpu={gpu} concerns={health.concerns} />
          ))}
        </ul>
        {withoutGpu.map(({ name, gpu_error }) => (
          <p key={name} class="quiet line">
            <strong>{name}</strong>: {gpu_error ?? "No GPU"}
          </p>
        ))}
      </Section>
      <MachineHistory box={chosen} />
      <Section title="Machines">
        <ul class="cards">
          {shown.map((box) => (
            <MachineCard key={box.name} box={box} concerns={health.concerns} isAdmin={isAdmin} />
          ))}
        </ul>
      </Section>
    </>
  );
}
