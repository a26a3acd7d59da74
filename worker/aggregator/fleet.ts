/** The fleet: everything that a Worker needs to serve calls, and nothing else. */
import type { RegisteredBox } from "../registered-box.ts";
import type { SealKey } from "../seal.ts";
import type { RunTimeSettings } from "../settings.ts";
import type { AggregatorStores } from "./stores.ts";

/** A box as calls see it, by its newest readings. */
export type FleetBox = Pick<RegisteredBox, "name" | "state" | "last_seen_ms"> & {
  simulated: boolean;
  /** False: its agent cannot reach Ollama. */
  is_reachable: boolean;
  /** False: a GPU that it had is lost. */
  has_gpus: boolean;
  /** Names of the models in memory. */
  loaded: string[];
  /** Names of the models on disk. */
  installed: string[];
  /** Names of the models that only embed. */
  embedders: string[];
};

/** The boxes, and how calls are served now. */
export type Fleet = {
  boxes: FleetBox[];
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
  boxes: registry.boxes().map(fleetBoxOf),
  settings: settings.get(),
  defaultModel: localRepository.defaultModel(),
  sealKey: sealKeys.current(nowMs),
});

/**
 * Families of models that only embed, as Ollama names them: `bert`, `nomic-bert`,
 * `gemma-embedding`.
 */
const EMBEDS = /bert|embed/i;

function fleetBoxOf({ name, state, last_seen_ms, hello, readings }: RegisteredBox): FleetBox {
  const models = readings?.inventory.models ?? [];
  return {
    name,
    state,
    last_seen_ms,
    simulated: hello.simulated,
    is_reachable: readings?.inventory.reachable !== false,
    has_gpus: readings?.gpu.failed !== true,
    loaded: namesOf(readings?.inventory.loaded ?? []),
    installed: namesOf(models),
    embedders: namesOf(models.filter(({ family }) => EMBEDS.test(family ?? ""))),
  };
}

const namesOf = (models: readonly { name: string }[]): string[] => models.map(({ name }) => name);
