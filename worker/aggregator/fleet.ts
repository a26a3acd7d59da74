/** The fleet: everything that a Worker needs to serve calls, and nothing else. */
import type { RegisteredBox } from "../registered-box.ts";
import type { SealKey } from "../seal.ts";
import type { RunTimeSettings } from "../settings.ts";
import type { AggregatorStores } from "./stores.ts";

/** A model of a box, by its newest readings; null if unknown. */
export type FleetModel = {
  /** Its open requests. */
  open: number | null;
  /** Requests that Ollama works on at once. */
  slots: number | null;
};

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
  /** The models of which more is known, by their names with a tag. */
  models: Record<string, FleetModel>;
  /** Arrival of the newest readings, unix ms; null before the first. */
  readings_at_ms: number | null;
};

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
  { registry, settings, localRepository, sealKeys }: AggregatorStores,
  nowMs: number,
): Fleet => ({
  boxes: registry.boxes().map(fleetBoxOf),
  settings: settings.get(),
  defaultModel: localRepository.defaultModel(),
  sealKey: sealKeys.current(nowMs),
  takesReasons: true,
});

/**
 * Families of models that only embed, as Ollama names them: `bert`, `nomic-bert`,
 * `gemma-embedding`.
 */
const EMBEDS = /bert|embed/i;

function fleetBoxOf(box: RegisteredBox): FleetBox {
  const { name, state, last_seen_ms, hello, readings, readings_at_ms } = box;
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
    models: Object.fromEntries(
      (readings?.serving ?? []).map(({ model, open, slots }) => [model, { open, slots }]),
    ),
    readings_at_ms,
  };
}

const namesOf = (models: readonly { name: string }[]): string[] => models.map(({ name }) => name);
