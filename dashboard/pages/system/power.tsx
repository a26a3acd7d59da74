/** What all GPUs draw now, and what that costs where a price is set. */
import type { GpuReading } from "../../../protocol/api/fleet.ts";
import { preferences } from "../../data/preferences.ts";
import { money, UNKNOWN, watts } from "../../shape/format.ts";
import { costPerDay, sumKnown } from "../../shape/power.ts";

export function PowerNow({ gpus }: { gpus: readonly GpuReading[] }) {
  const { price, currency } = preferences.value;
  const drawn = sumKnown(gpus.map(({ power_draw_w }) => power_draw_w));
  const silent = gpus.filter(({ power_draw_w }) => power_draw_w === null).length;
  if (gpus.length === 0) return null;
  return (
    <p class="line">
      <strong>{watts(drawn)}</strong> drawn by the boards now
      {silent > 0 && ` (${silent} of ${gpus.length} do not say)`}
      {price === null ? (
        <span class="quiet">
          {" "}
          · <a href="#/settings">set a price per kWh</a> to see the cost
        </span>
      ) : (
        <span>
          {" "}
          · at this rate {drawn === null ? UNKNOWN : money(costPerDay(drawn, price), currency)} a
          day
        </span>
      )}
    </p>
  );
}
