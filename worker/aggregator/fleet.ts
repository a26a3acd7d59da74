/** The fleet: everything that a Worker needs to serve calls, and nothing else. */
import type { IssuedKey } from "../keys/policy.ts";
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
  /** Absent from an older Aggregator. */
  keys?: KnownKeys;
  /** The joinings that are in force, by box. Absent from an older Aggregator. */
  joined?: Record<string, string>;
};

/** The keys that the edge made. `all` is null if they are those of the version that was known. */
export type KnownKeys = { version: number; all: IssuedKey[] | null };

/** @param knownKeys  the version of the keys that the Worker has; null for none */
export const currentFleet = (
  {
    registry,
    learned,
    pins,
    settings,
    localRepository,
    sealKeys,
    issuedKeys,
    joined,
  }: AggregatorStores,
  knownKeys: number | null,
  nowMs: number,
): Fleet => ({
  boxes: registry
    .boxes()
    .map((box) => fleetBoxOf(box, learned.of(box.name), pins.of(box.name), nowMs)),
  settings: settings.get(),
  defaultModel: localRepository.defaultModel(),
  sealKey: sealKeys.current(nowMs),
  takesReasons: true,
  keys: {
    version: issuedKeys.version,
    all: issuedKeys.version === knownKeys ? null : issuedKeys.all(),
  },
  joined: joined.current(),
});
