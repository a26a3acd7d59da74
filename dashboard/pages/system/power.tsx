/** The current power draw of all GPUs, with its cost if a price is set. */
import type { GpuReading } from "../../../protocol/api/fleet.ts";
import { preferences } from "../../data/preferences.ts";
import { money, UNKNOWN, watts } from "../../shape/format.ts";
import { costPerDay, sumKnown } from "../../shape/power.ts";

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
