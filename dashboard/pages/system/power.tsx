/** The power and the energy of all GPUs, with the cost if the edge has a tariff. */

import type { GpuReading } from "../../../protocol/api/fleet.ts";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { TariffState } from "../../../protocol/api/tariff.ts";
import { energy, money, percent, UNKNOWN, watts } from "../../shape/format.ts";
import { costPerDay, energySpent, sumKnown } from "../../shape/power.ts";

type PowerProps = {
  gpus: readonly GpuReading[];
  /** Null until it is loaded. */
  tariff: TariffState | null;
};

export function PowerNow({ gpus, tariff }: PowerProps) {
  const drawn = sumKnown(gpus.map(({ power_draw_w }) => power_draw_w));
  const unknown = gpus.filter(({ power_draw_w }) => power_draw_w === null).length;
  if (gpus.length === 0) return null;
  return (
    <p class="line">
      <strong>{watts(drawn)}</strong> drawn by the GPUs now
      {unknown > 0 && ` (${unknown} of ${gpus.length} do not report power)`}
      {tariff !== null &&
        (tariff.tariff === null ? (
          <span class="quiet">
            {" "}
            · <a href="#/settings">Set a price per kWh</a> to see the cost
          </span>
        ) : (
          <span> · {dayCost(gpus, tariff)} per day at this rate</span>
        ))}
    </p>
  );
}

function dayCost(gpus: readonly GpuReading[], state: TariffState): string {
  const cost = costPerDay(gpus, state);
  return cost === null || state.tariff === null ? UNKNOWN : money(cost, state.tariff.currency);
}

/** The energy of all GPUs so far, and its parts. */
export function EnergySpent({ boxes }: { boxes: readonly Pick<LiveBox, "energy">[] }) {
  const spent = energySpent(boxes);
  if (spent === null) return null;
  const { joules, active, loaded, idle, standingWatts } = spent;
  return (
    <p class="line">
      <strong>{energy(joules)}</strong> drawn so far: {percent(active)} for requests,{" "}
      {percent(loaded)} with an unused model in memory, {percent(idle)} idle
      {standingWatts !== null && (
        <span class="quiet"> · an unused model in memory adds {watts(standingWatts)}</span>
      )}
    </p>
  );
}
