/** One GPU, now. */
import type { GpuReading } from "../../../protocol/api/fleet.ts";
import { preferences } from "../../data/preferences.ts";
import { Ago, MeterBar, Pill, Simulated } from "../../parts/basics.tsx";
import { count, mib, ofHundred, temperature, UNKNOWN, watts } from "../../shape/format.ts";

/** Reasons that are no reason for worry: nobody asks, or somebody set it so. */
const HARMLESS = new Set(["gpu_idle", "applications_clocks_setting", "none"]);
const HOT_C = 83;

const share = (part: number | null, whole: number | null): number | null =>
  part === null || !whole ? null : (100 * part) / whole;

export function GpuCard({ gpu }: { gpu: GpuReading }) {
  const { sizes, temperature: unit } = preferences.value;
  const reasons = gpu.throttle_reasons?.filter((reason) => !HARMLESS.has(reason)) ?? null;
  const isHot = (gpu.temperature_c ?? 0) >= HOT_C;
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
          <dt>temperature</dt>
          <dd class={isHot ? "hot" : ""}>{temperature(gpu.temperature_c, unit)}</dd>
        </div>
        <div>
          <dt>SM clock</dt>
          <dd>{gpu.sm_clock_mhz === null ? UNKNOWN : `${count(gpu.sm_clock_mhz)}\u202fMHz`}</dd>
        </div>
        <div>
          <dt>fan</dt>
          <dd>{ofHundred(gpu.fan_percent)}</dd>
        </div>
      </dl>
      <p class="throttle">
        <span class="quiet">clocks held down by</span>{" "}
        {reasons === null
          ? UNKNOWN
          : reasons.length === 0
            ? "nothing"
            : reasons.map((reason) => (
                <Pill key={reason} tone={/thermal|hw_/.test(reason) ? "bad" : "warn"}>
                  {reason.replaceAll("_", " ")}
                </Pill>
              ))}
      </p>
      <p class="footnote">
        driver {gpu.driver_version ?? UNKNOWN} · read <Ago iso={gpu.timestamp} />
      </p>
    </li>
  );
}
