/** The fleet: everything that a Worker needs to serve calls. */
import type { RegisteredBox } from "../registered-box.ts";
import type { SealKey } from "../seal.ts";
import type { RunTimeSettings } from "../settings.ts";
import type { AggregatorStores } from "./stores.ts";

/** The boxes, and how calls are served now. */
export type Fleet = {
  boxes: RegisteredBox[];
  settings: RunTimeSettings;
  /** The default model of the repository, whether or not a box has it. */
  defaultModel: string | null;
  /** Seals the requests of now. For Workers only. */
  sealKey: SealKey;
};

export const currentFleet = (
  { registry, settings, localRepository, sealKeys }: AggregatorStores,
  nowMs: number,
): Fleet => ({
  boxes: registry.boxes(),
  settings: settings.get(),
  defaultModel: localRepository.defaultModel(),
  sealKey: sealKeys.current(nowMs),
});
