/** Boxes, as `/api/health` and `/api/boxes` show them. */
import type {
  BoxDetail,
  Boxes,
  BoxHealth,
  EnergyTotal,
  NeverConnected,
} from "../../protocol/api/fleet.ts";
import { addEnergy, type GpuEnergy, NO_ENERGY, standingWatts } from "../../protocol/gpu-energy.ts";
import { gpuShareOf } from "../../protocol/inventory.ts";
import { freeAfterUnload, gpuMemoryOf } from "../gpu-memory.ts";
import type { BoxAdmission } from "../joining/joined-box.ts";
import {
  type BoxStatus,
  type BoxStatuses,
  freshLoaded,
  freshSystem,
  type RegisteredBox,
} from "../registered-box.ts";
import { agentBuildOf, isCurrentAgent } from "./agent-build.ts";
import { isoOf } from "./figures.ts";
import { gpusOf } from "./gpus.ts";
import { isDue, type KeptPin, type MeasuredOf, shownPins } from "./pins.ts";

export type KnownOfBoxes = {
  pinsOf: (box: string) => readonly KeptPin[];
  measuredOf: MeasuredOf;
  admissionOf: (box: string) => BoxAdmission;
  neverConnected: readonly NeverConnected[];
  servedDigest: string | null;
};
const NOTHING: KnownOfBoxes = {
  pinsOf: () => [],
  measuredOf: () => [],
  admissionOf: () => ({ admission: null, joined_at: null }),
  neverConnected: [],
  servedDigest: null,
};

/**
 * @param isUp  its current status: its entry may not show yet that it is gone
 * @param servedDigest  the digest of the agent that this edge serves; null if unknown
 */
export function boxHealth(
  { name, state, hello, last_seen_ms, readings }: RegisteredBox,
  isUp: boolean,
  servedDigest: string | null,
): BoxHealth {
  return {
    name,
    state: !isUp ? "down" : state === "draining" ? "draining" : "up",
    simulated: hello.simulated,
    last_seen: isUp ? null : isoOf(last_seen_ms),
    agent_version: hello.agent_version,
    agent_current: isCurrentAgent(hello, servedDigest),
    agent_build: agentBuildOf(hello, servedDigest),
    ollama_version: readings?.inventory.ollama_version ?? null,
    ollama_reachable: readings?.inventory.reachable ?? null,
  };
}

/** @param known  pins and measured memory */
export function boxesState(
  boxes: readonly RegisteredBox[],
  live: BoxStatuses,
  nowMs: number,
  known: KnownOfBoxes = NOTHING,
): Boxes {
  const statuses = new Map(live.map((status) => [status.name, status]));
  const details = boxes.map((box) => {
    const now = statuses.get(box.name);
    return detailOf(
      box,
      now ?? { name: box.name, up: false, in_flight: null, queue_depth: null },
      nowMs,
      known,
    );
  });
  const never_connected = [...known.neverConnected];
  return { boxes: details, never_connected, timestamp: isoOf(nowMs) };
}

function detailOf(
  box: RegisteredBox,
  { up, in_flight, queue_depth }: BoxStatus,
  nowMs: number,
  { pinsOf, measuredOf, admissionOf, servedDigest }: KnownOfBoxes,
): BoxDetail {
  const { readings, readings_at_ms } = box;
  const { gpus, error } = gpusOf(box, up, nowMs);
  const pins = pinsOf(box.name);
  return {
    ...boxHealth(box, up, servedDigest),
    connected_at: up ? isoOf(box.connected_at_ms) : null,
    ...admissionOf(box.name),
    ollama_error: readings?.inventory.error ?? null,
    models: (readings?.inventory.models ?? []).map(({ listed: _, ...model }) => model),
    loaded: up
      ? freshLoaded(box, nowMs).map(({ listed: _, ...model }) => ({
          ...model,
          gpu_share: gpuShareOf(model),
        }))
      : [],
    in_flight,
    queue_depth,
    tunnel_ms: up ? (readings?.tunnel_ms ?? null) : null,
    spooled: up ? (readings?.spooled ?? null) : null,
    lost: up ? (readings?.lost ?? null) : null,
    gpus,
    pins: shownPins(box, pins, up ? (readings?.pins ?? null) : null, measuredOf, nowMs),
    vram: up ? vramOf(box, pins, nowMs) : NO_VRAM,
    ...energyOf(box),
    gpu_error: error,
    gpu_failed: up && (readings?.gpu.failed ?? false),
    lost_gpus: up ? (readings?.gpu.lost ?? []) : [],
    takes_updates: box.hello.takes_updates ?? null,
    update: updateOf(box),
    system: up ? freshSystem(box, nowMs) : null,
    clock_skew_ms: clockSkewMs(box),
    readings_at: readings_at_ms === null ? null : isoOf(readings_at_ms),
  };
}

/** Stays while the box is down: it restarts during an update. */
function updateOf({ readings }: RegisteredBox): BoxDetail["update"] {
  if (readings?.update == null) return null;
  const { at_ms, ...update } = readings.update;
  return { ...update, at: isoOf(at_ms) };
}

const NO_VRAM: BoxDetail["vram"] = {
  total_bytes: null,
  free_bytes: null,
  free_after_unload_bytes: null,
};

/** Pinned models stay: they would be loaded again. */
const vramOf = (
  box: RegisteredBox,
  pins: readonly KeptPin[],
  nowMs: number,
): BoxDetail["vram"] => ({
  ...gpuMemoryOf(box, nowMs),
  free_after_unload_bytes: freeAfterUnload(
    box,
    (model) => pins.some((pin) => pin.model === model && isDue(pin, nowMs)),
    nowMs,
  ),
});

/** The energy of a box and of each of its GPUs. It stays while the box is down. */
function energyOf({ gpu_energy }: RegisteredBox): Pick<BoxDetail, "energy" | "gpu_energy"> {
  const totalOf = (energy: GpuEnergy): EnergyTotal => ({
    ...energy,
    standing_w: standingWatts(energy),
  });
  const gpus = gpu_energy.map(({ index, uuid, name, total }) => ({
    index,
    uuid,
    name,
    ...totalOf(total),
  }));
  const sum = gpu_energy.reduce((total, gpu) => addEnergy(total, gpu.total), NO_ENERGY);
  // The states of the GPUs of a box follow each other, so their standing powers add up.
  const standing = gpus.map(({ standing_w }) => standing_w);
  const standing_w = standing.includes(null)
    ? null
    : standing.reduce<number>((watts, gpu) => watts + (gpu ?? 0), 0);
  return { energy: gpus.length === 0 ? null : { ...sum, standing_w }, gpu_energy: gpus };
}

/** Compares the agent's clock in its newest message, readings or hello, with the edge's. */
function clockSkewMs({ hello, connected_at_ms, readings, readings_at_ms }: RegisteredBox): number {
  const isHelloNewer = readings_at_ms === null || connected_at_ms > readings_at_ms;
  if (isHelloNewer || typeof readings?.now_ms !== "number") return hello.now_ms - connected_at_ms;
  return readings.now_ms - readings_at_ms;
}
