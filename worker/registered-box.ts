/**
 * What is known of the boxes: the registry's entry, and what each Box says of itself just now.
 *
 * Only shapes, and what follows from them; the rows are `store/registry.ts`.
 */
import { z } from "zod";
import { type LoadedModel, Readings, withTag } from "../protocol/inventory.ts";
import { Hello } from "../protocol/messages.ts";
import type { GpuSample, SystemSample } from "../protocol/records.ts";

/** What was said longer ago, by the edge's clock, is not shown as current: absent beats stale. An idle box speaks every 150 s. */
export const FRESH_MS = 3 * 60_000;

export const RegisteredBox = z.object({
  name: z.string(),
  hello: Hello,
  state: z.enum(["up", "draining", "down"]),
  connected_at_ms: z.number(),
  /** When its agent was last heard, as far as the registry was told. */
  last_seen_ms: z.number(),
  /** The last readings. Of the samples only the newest: one of each GPU, and one of the machine. */
  readings: Readings.nullable(),
  readings_at_ms: z.number().nullable(),
  /** When those samples came. Older than the readings when the last ones had none. */
  gpus_at_ms: z.number().nullable(),
});
export type RegisteredBox = z.infer<typeof RegisteredBox>;

/** What a Box says of itself at this moment. `null` where it does not know. */
export type BoxStatus = {
  name: string;
  up: boolean;
  in_flight: number | null;
  queue_depth: number | null;
};
export type BoxStatuses = BoxStatus[];

/** The newest sample of each GPU; samples come oldest first. */
export const newestPerGpu = (samples: readonly GpuSample[]): GpuSample[] => [
  ...new Map(samples.map((sample) => [sample.index, sample])).values(),
];

/** The samples of a box that may be shown as current. The caller knows whether the box is up. */
export function freshGpus(box: RegisteredBox, nowMs: number): GpuSample[] {
  const isFresh = box.gpus_at_ms !== null && nowMs - box.gpus_at_ms <= FRESH_MS;
  return isFresh ? (box.readings?.gpu.samples ?? []) : [];
}

/** The sample of the machine that may be shown as current; null when there is none. The caller knows whether the box is up. */
export function freshSystem({ readings }: RegisteredBox, nowMs: number): SystemSample | null {
  const sample = readings?.system.at(-1);
  return sample !== undefined && nowMs - Date.parse(sample.at) <= FRESH_MS ? sample : null;
}

/** The models that a box has in memory, by readings that may be taken as current. The caller knows whether the box is up. */
export function freshLoaded(
  { readings, readings_at_ms }: RegisteredBox,
  nowMs: number,
): LoadedModel[] {
  const isFresh = readings_at_ms !== null && nowMs - readings_at_ms <= FRESH_MS;
  return isFresh ? (readings?.inventory.loaded ?? []) : [];
}

/** The names of those that are up. */
export const upNames = (live: BoxStatuses): Set<string> =>
  new Set(live.filter(({ up }) => up).map(({ name }) => name));

/** Names are compared with their tag: `a` and `a:latest` are one model. */
const includes = (models: readonly { name: string }[] | undefined, model: string): boolean =>
  models?.some(({ name }) => withTag(name) === withTag(model)) ?? false;

/** Whether a box has a model on disk, or in memory, by its last readings. */
export const isInstalledOn = (box: RegisteredBox, model: string): boolean =>
  includes(box.readings?.inventory.models, model);
export const isLoadedOn = (box: RegisteredBox, model: string): boolean =>
  includes(box.readings?.inventory.loaded, model);
export const hasModel = (box: RegisteredBox, model: string): boolean =>
  isInstalledOn(box, model) || isLoadedOn(box, model);
