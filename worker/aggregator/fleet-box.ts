/** A box as calls see it, from its entry in the registry and the times learned about it. Pure. */
import { BAD_THROTTLE_REASONS, CONCERNS } from "../../protocol/concerns.ts";
import { embedsOnly, type Readings, withTag } from "../../protocol/inventory.ts";
import type { Pin } from "../../protocol/pin.ts";
import type { GpuSample } from "../../protocol/records.ts";
import { isDue } from "../answers/pins.ts";
import type { BoxTimes, ModelTimes } from "../counting/model-times.ts";
import { type GpuMemory, gpuMemoryOf } from "../gpu-memory.ts";
import { freshGpus, type RegisteredBox } from "../registered-box.ts";

/** A model of a box, by its newest readings; null if unknown. */
export type FleetModel = {
  /** Its open requests. */
  open: number | null;
  /** Requests that Ollama works on at once. */
  slots: number | null;
  /** On disk. */
  size_bytes: number | null;
  /** In memory: all of it, and the part of it that the GPUs hold. */
  loaded_bytes: number | null;
  vram_bytes: number | null;
  /** The context that it was loaded with. */
  context_length: number | null;
  times: ModelTimes | null;
};

/** A box as calls see it, by its newest readings. */
export type FleetBox = Pick<RegisteredBox, "name" | "state" | "last_seen_ms"> & {
  simulated: boolean;
  /** Its agent ends a request that may move soon after it lost its tunnel. */
  yields_lost: boolean;
  /** Its agent keeps the record of a failure while the edge looks for another box (`may_ask`). */
  takes_may_ask: boolean;
  /** False: its agent cannot reach Ollama. */
  is_reachable: boolean;
  /** False: a GPU that it had is lost. */
  has_gpus: boolean;
  /** Names of the models in memory. */
  loaded: string[];
  /** Names of the models that its agent keeps in memory now, or is about to load. */
  pinned: string[];
  /** Names of the models on disk. */
  installed: string[];
  /** Names of the models that only embed. */
  embedders: string[];
  /** The models of which more is known, by their names with a tag. */
  models: Record<string, FleetModel>;
  /** Arrival of the newest readings, unix ms; null before the first. */
  readings_at_ms: number | null;
  /** When its agent read its models, by the agent's clock; null before the first readings. */
  models_at: string | null;
  /** The memory of its GPUs; null if a part of it is unknown, or is read by no tool. */
  vram: { total_bytes: number; free_bytes: number } | null;
  /** True while a GPU runs slower than it could because of heat or a lack of power. */
  is_slowed: boolean;
};

export function fleetBoxOf(
  box: RegisteredBox,
  times: BoxTimes,
  pins: readonly Pin[],
  nowMs: number,
): FleetBox {
  const { name, state, last_seen_ms, hello, readings, readings_at_ms } = box;
  const models = readings?.inventory.models ?? [];
  const gpus = freshGpus(box, nowMs);
  return {
    name,
    state,
    last_seen_ms,
    simulated: hello.simulated,
    yields_lost: hello.yields_lost === true,
    takes_may_ask: hello.takes_may_ask === true,
    is_reachable: readings?.inventory.reachable !== false,
    has_gpus: readings?.gpu.failed !== true,
    loaded: namesOf(readings?.inventory.loaded ?? []),
    pinned: warmToBe(pins, readings, nowMs),
    installed: namesOf(models),
    embedders: namesOf(models.filter(embedsOnly)),
    models: modelsOf(readings, times),
    readings_at_ms,
    models_at: readings?.inventory.at ?? null,
    vram: vramOf(gpuMemoryOf(box, nowMs)),
    is_slowed: gpus.some(isSlowed),
  };
}

/** Returns the pinned models whose hours are now, except those that their agent failed to load. */
function warmToBe(pins: readonly Pin[], readings: Readings | null, nowMs: number): string[] {
  const hasFailed = (pin: Pin) =>
    readings?.pins?.some(({ model, state }) => model === pin.model && state === "failed") ?? false;
  return pins.filter((pin) => isDue(pin, nowMs) && !hasFailed(pin)).map(({ model }) => model);
}

/** Returns the models of which more is known than that they are on disk. */
function modelsOf(readings: Readings | null, times: BoxTimes): Record<string, FleetModel> {
  const models: Record<string, FleetModel> = {};
  const at = (name: string): FleetModel => {
    const tagged = withTag(name);
    models[tagged] ??= { ...UNKNOWN_MODEL, times: times.get(tagged) ?? null };
    return models[tagged];
  };
  for (const { name, size_bytes } of readings?.inventory.models ?? [])
    if (size_bytes !== null || times.has(withTag(name))) Object.assign(at(name), { size_bytes });
  for (const { name, size_bytes, size_vram_bytes, context_length } of readings?.inventory.loaded ??
    [])
    Object.assign(at(name), {
      loaded_bytes: size_bytes,
      vram_bytes: size_vram_bytes,
      context_length,
    });
  for (const { model, open, slots } of readings?.serving ?? [])
    Object.assign(at(model), { open, slots });
  return models;
}

const UNKNOWN_MODEL: FleetModel = {
  open: null,
  slots: null,
  size_bytes: null,
  loaded_bytes: null,
  vram_bytes: null,
  context_length: null,
  times: null,
};

function vramOf({ total_bytes, free_bytes }: GpuMemory): FleetBox["vram"] {
  return total_bytes === null || free_bytes === null ? null : { total_bytes, free_bytes };
}

const HOT_C = CONCERNS.gpu_hot.severity.above.critical;

const isSlowed = ({ temperature_c, throttle_reasons }: GpuSample): boolean =>
  (temperature_c ?? 0) > HOT_C ||
  (throttle_reasons?.some((reason) => BAD_THROTTLE_REASONS.has(reason)) ?? false);

const namesOf = (models: readonly { name: string }[]): string[] => models.map(({ name }) => name);
