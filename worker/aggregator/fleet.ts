/** The fleet: everything that a Worker needs to serve calls, and nothing else. */
import type { SealKey } from "../seal.ts";
import type { RunTimeSettings } from "../settings.ts";
import { type FleetBox, fleetBoxOf } from "./fleet-box.ts";
import type { AggregatorStores } from "./stores.ts";

/** The boxes, and how calls are served now. */
export type Fleet = {
  boxes: FleetBox[];
  settings: RunTimeSettings;
  /** The default model of the repository, whether or not a box has it. */
  defaultModel: string | null;
  /** Seals the requests of now. For Workers only. */
  sealKey: SealKey;
  /** The reason for the choice of a box may be sealed. Absent from an older Aggregator. */
  takesReasons?: true;
};

export const currentFleet = (
  { registry, learned, settings, localRepository, sealKeys }: AggregatorStores,
  nowMs: number,
): Fleet => ({
  boxes: registry.boxes().map((box) => fleetBoxOf(box, learned.of(box.name), nowMs)),
  settings: settings.get(),
  defaultModel: localRepository.defaultModel(),
  sealKey: sealKeys.current(nowMs),
  takesReasons: true,
});
