/** The concerns about hidden damage. Pure. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { Concern, ConcernOf } from "../../../protocol/concern.ts";
import { raise } from "../../../protocol/raise-concern.ts";
import { COLD_HOURS, type ColdStarts } from "./cold-starts.ts";
import type { Damage } from "./damage.ts";
import { RELOADING_MINUTES } from "./reloads.ts";
import { SLOW_MINUTES, type Slow } from "./slow.ts";
import { TRUNCATED_MINUTES } from "./truncated.ts";

/** The concerns about one box that is up. */
export function damageConcerns(box: LiveBox, damage: Damage, isBypassed: boolean): Concern[] {
  const ofBox = (of: { box: string }) => of.box === box.name;
  const model = (name: string) => ({ kind: "model", box: box.name, model: name }) as const;
  return [
    ...damage.truncated
      .filter(ofBox)
      .flatMap(({ box: _, model: name, ...params }) =>
        raise("prompts_truncated", model(name), { ...params, minutes: TRUNCATED_MINUTES }),
      ),
    ...damage.reloading
      .filter(ofBox)
      .flatMap(({ box: name, ...params }) =>
        raise(
          "models_reloading",
          { kind: "box", box: name },
          { ...params, minutes: RELOADING_MINUTES },
        ),
      ),
    ...damage.coldStarts.filter(ofBox).flatMap(({ box: _, model: name, held_ms, ...params }) =>
      raise("cold_starts", model(name), {
        ...params,
        hours: COLD_HOURS,
        holding_wh: holdingWh(held_ms, box),
      }),
    ),
    ...damage.slow.filter(ofBox).flatMap(({ box: _, model: name, has_neighbour, ...params }) =>
      raise("model_slow", model(name), {
        ...params,
        minutes: SLOW_MINUTES,
        cause: causeOf(name, has_neighbour || isBypassed, box),
      }),
    ),
  ];
}

/** The energy of a model that stays in memory for this time; null if its power is unknown. */
function holdingWh(heldMs: ColdStarts["held_ms"], { energy }: LiveBox): number | null {
  const watts = energy?.standing_w ?? null;
  return watts === null ? null : (watts * heldMs) / 3_600_000;
}

/** By what can be seen now; a power cap last, since it is normal under load. */
function causeOf(
  model: Slow["model"],
  hasNeighbour: boolean,
  { loaded, gpus }: LiveBox,
): ConcernOf<"model_slow">["params"]["cause"] {
  const reasons = gpus.flatMap(({ throttle_reasons }) => throttle_reasons ?? []);
  const has = (...names: string[]) => reasons.some((reason) => names.includes(reason));
  const share = loaded.find(({ name }) => name === model)?.gpu_share ?? 1;
  if (share < 1) return "cpu";
  if (has("sw_thermal_slowdown", "hw_thermal_slowdown")) return "heat";
  if (has("hw_power_brake_slowdown", "hw_slowdown")) return "power";
  if (hasNeighbour) return "neighbour";
  return has("sw_power_cap") ? "power" : "unknown";
}
