/**
 * A box as the edge knows it: its entry in the registry, and the current status of its Box object.
 *
 * Contains the shapes and pure questions about them. `aggregator/registry.ts` stores the entries.
 */
import * as z from "zod";
import { GpuEnergy } from "../protocol/gpu-energy.ts";
import { type LoadedModel, Readings, withTag } from "../protocol/inventory.ts";
import { READINGS_IDLE_MS } from "../protocol/limits.ts";
import { Hello } from "../protocol/messages.ts";
import type { GpuSample, SystemSample } from "../protocol/records.ts";

/**
 * Older readings, by the edge's clock, are not shown as current: absent is better than stale.
 * An idle box sends readings every 150 s.
 */
export const FRESH_MS = 3 * 60_000;

/** `reported` is the last total of the agent's meter, which is part of `total`. */
export const CountedGpu = z.object({
  index: z.int().nonnegative(),
  uuid: z.string().nullable(),
  name: z.string(),
  total: GpuEnergy,
  meter_id: z.string(),
  reported: GpuEnergy,
});
export type CountedGpu = z.infer<typeof CountedGpu>;

export const RegisteredBox = z.object({
  name: z.string(),
  hello: Hello,
  state: z.enum(["up", "draining", "down"]),
  connected_at_ms: z.number(),
  /** Time of its agent's last message that reached the registry. */
  last_seen_ms: z.number(),
  /** The last readings, with only the newest sample of each GPU and of the machine. */
  readings: Readings.nullable(),
  readings_at_ms: z.number().nullable(),
  /** Arrival of those GPU samples. Older than the readings if the last ones had none. */
  gpus_at_ms: z.number().nullable(),
  /** The energy of each GPU since this edge has known it. */
  gpu_energy: z.array(CountedGpu).default([]),
});
export type RegisteredBox = z.infer<typeof RegisteredBox>;

/**
 * Current status of a box, as the Aggregator knows it: the Box reports when its agent comes and goes, and
 * the agent reports the rest. `null` means unknown.
 */
export type BoxStatus = {
  name: string;
  up: boolean;
  in_flight: number | null;
  queue_depth: number | null;
};
export type BoxStatuses = BoxStatus[];

/**
 * Longest silence of an agent that has its tunnel. Its Box notices a lost one only when it is called.
 */
const SILENT_MS = 2 * READINGS_IDLE_MS + 30_000;

/** Returns when a box counts as silent if it sends nothing more, unix ms. */
export const silentFromMs = ({ last_seen_ms }: RegisteredBox): number =>
  last_seen_ms + SILENT_MS + 1;

export function statusOf(box: RegisteredBox, nowMs: number): BoxStatus {
  const { name, state, last_seen_ms, connected_at_ms, readings, readings_at_ms } = box;
  const up = state !== "down" && nowMs - last_seen_ms <= SILENT_MS;
  const atMs = readings_at_ms ?? 0;
  const load = up && atMs >= connected_at_ms && nowMs - atMs <= FRESH_MS ? readings : null;
  return { name, up, in_flight: load?.in_flight ?? null, queue_depth: load?.queued ?? null };
}

/** Returns the newest sample of each GPU. @param samples  oldest first */
export const newestPerGpu = (samples: readonly GpuSample[]): GpuSample[] => [
  ...new Map(samples.map((sample) => [sample.index, sample])).values(),
];

/** Returns the GPU samples that are recent enough to show. Does not check that the box is up. */
export function freshGpus(box: RegisteredBox, nowMs: number): GpuSample[] {
  const isFresh = box.gpus_at_ms !== null && nowMs - box.gpus_at_ms <= FRESH_MS;
  return isFresh ? (box.readings?.gpu.samples ?? []) : [];
}

/**
 * Returns the machine's sample if it is recent enough to show. Does not check that the box is up.
 */
export function freshSystem({ readings }: RegisteredBox, nowMs: number): SystemSample | null {
  const sample = readings?.system.at(-1);
  return sample !== undefined && nowMs - Date.parse(sample.at) <= FRESH_MS ? sample : null;
}

/**
 * Returns the models in memory by readings that are recent enough. Does not check that the box is
 * up.
 */
export function freshLoaded(
  { readings, readings_at_ms }: RegisteredBox,
  nowMs: number,
): LoadedModel[] {
  const isFresh = readings_at_ms !== null && nowMs - readings_at_ms <= FRESH_MS;
  return isFresh ? (readings?.inventory.loaded ?? []) : [];
}

/** Returns the names of the boxes that are up. */
export const upNames = (live: BoxStatuses): Set<string> =>
  new Set(live.filter(({ up }) => up).map(({ name }) => name));

/** Compares names with their tags: `a` and `a:latest` are the same model. */
const includes = (models: readonly { name: string }[] | undefined, model: string): boolean =>
  models?.some(({ name }) => withTag(name) === withTag(model)) ?? false;

/** Checks whether a box has a model on disk, by its last readings. */
export const isInstalledOn = (box: RegisteredBox, model: string): boolean =>
  includes(box.readings?.inventory.models, model);
export const isLoadedOn = (box: RegisteredBox, model: string): boolean =>
  includes(box.readings?.inventory.loaded, model);
export const hasModel = (box: RegisteredBox, model: string): boolean =>
  isInstalledOn(box, model) || isLoadedOn(box, model);
