/** The current state of one GPU. */
import type { GpuReading } from "../../../protocol/api/fleet.ts";
import type { Concern } from "../../../protocol/concern.ts";
import { preferences } from "../../data/preferences.ts";
import { Ago, MeterBar, Pill, Simulated } from "../../parts/basics.tsx";
import { gpuConcern } from "../../shape/attention.ts";
import { count, mib, ofHundred, temperature, UNKNOWN, watts } from "../../shape/format.ts";

/** Throttle reasons that need no action: the GPU is idle, or its clocks were set on purpose. */
const HARMLESS = new Set(["gpu_idle", "applications_clocks_setting", "none"]);

const share = (part: number | null, whole: number | null): number | null =>
  part === null || !whole ? null : (100 * part) / whole;

export function GpuCard({ gpu, concerns }: { gpu: GpuReading; concerns: readonly Concern[] }) {
  const { sizes, temperature: unit } = preferences.value;
  const reasons = gpu.throttle_reasons?.filter((reason) => !HARMLESS.has(reason)) ?? null;
  const isHot = gpuConcern(concerns, "gpu_hot", gpu) !== undefined;
  const badReasons = gpuConcern(concerns, "gpu_throttled", gpu)?.params.reasons ?? [];
  return (
    <li class="card">
      <div class="box-head">
        <h3>
          {gpu.box} <span class="quiet">GPU {gpu.index}</span>
        </h3>
        {gpu.simulated && <Simulated />}
      </div>
      <p class="quiet">{gpu.name}</p>
      <MeterBar
        name="Utilization"
        percent={gpu.utilization_percent}
        text={ofHundred(gpu.utilization_percent)}
      />
      <MeterBar
        name="VRAM"
        percent={share(gpu.memory_used_mb, gpu.memory_total_mb)}
        text={`${mib(gpu.memory_used_mb, sizes)} / ${mib(gpu.memory_total_mb, sizes)}`}
      />
      <MeterBar
        name="Power"
        percent={share(gpu.power_draw_w, gpu.power_limit_w)}
        text={
          gpu.power_limit_w === null
            ? watts(gpu.power_draw_w)
            : `${watts(gpu.power_draw_w)} / ${watts(gpu.power_limit_w)}`
        }
      />
      <dl class="figures">
        <div>
          <dt>Temperature</dt>
          <dd class={isHot ? "hot" : ""}>{temperature(gpu.temperature_c, unit)}</dd>
        </div>
        <div>
          <dt>SM clock</dt>
          <dd>{gpu.sm_clock_mhz === null ? UNKNOWN : `${count(gpu.sm_clock_mhz)}\u202fMHz`}</dd>
        </div>
        <div>
          <dt>Fan</dt>
          <dd>{ofHundred(gpu.fan_percent)}</dd>
        </div>
      </dl>
      <p class="throttle">
        {reasons === null || reasons.length === 0 ? (
          <span class="quiet">{reasons === null ? "Throttling unknown" : "Not throttled"}</span>
        ) : (
          <>
            <span class="quiet">Throttled by</span>{" "}
            {reasons.map((reason) => (
              <Pill key={reason} tone={badReasons.includes(reason) ? "bad" : "warn"}>
                {reason.replaceAll("_", " ")}
              </Pill>
            ))}
          </>
        )}
      </p>
      <p class="footnote">
        Driver {gpu.driver_version ?? UNKNOWN} · updated <Ago iso={gpu.timestamp} />
      </p>
    </li>
  );
}
