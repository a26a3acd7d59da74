/** The power and the energy of all GPUs, with the cost if a price is set. */

import type { GpuReading } from "../../../protocol/api/fleet.ts";
import type { LiveBox } from "../../../protocol/api/live.ts";
import { preferences } from "../../data/preferences.ts";
import { energy, money, percent, UNKNOWN, watts } from "../../shape/format.ts";
import { costOf, costPerDay, energySpent, sumKnown } from "../../shape/power.ts";

export function PowerNow({ gpus }: { gpus: readonly GpuReading[] }) {
  const { price, currency } = preferences.value;
  const drawn = sumKnown(gpus.map(({ power_draw_w }) => power_draw_w));
  const unknown = gpus.filter(({ power_draw_w }) => power_draw_w === null).length;
  if (gpus.length === 0) return null;
  return (
    <p class="line">
      <strong>{watts(drawn)}</strong> drawn by the GPUs now
      {unknown > 0 && ` (${unknown} of ${gpus.length} do not report power)`}
      {price === null ? (
        <span class="quiet">
          {" "}
          · <a href="#/settings">Set a price per kWh</a> to see the cost
        </span>
      ) : (
        <span>
          {" "}
          · {drawn === null ? UNKNOWN : money(costPerDay(drawn, price), currency)} per day at this
          rate
        </span>
      )}
    </p>
  );
}

/** The energy of all GPUs so far, and its parts. */
export function EnergySpent({ boxes }: { boxes: readonly Pick<LiveBox, "energy">[] }) {
  const { price, currency } = preferences.value;
  const spent = energySpent(boxes);
  if (spent === null) return null;
  const { joules, active, loaded, idle, standingWatts } = spent;
  return (
    <p class="line">
      <strong>{energy(joules)}</strong> drawn so far
      {price !== null && ` (${money(costOf(joules, price), currency)})`}: {percent(active)} for
      requests, {percent(loaded)} with an unused model in memory, {percent(idle)} idle
      {standingWatts !== null && (
        <span class="quiet"> · an unused model in memory adds {watts(standingWatts)}</span>
      )}
    </p>
  );
}
