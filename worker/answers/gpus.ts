/** `/api/gpu`: the newest reading of each GPU, and the reason if a box shows none. */
import type { Gpu, GpuReading } from "../../protocol/api/fleet.ts";
import type { GpuSample, OVER_TIME } from "../../protocol/records.ts";
import { freeMibOf } from "../gpu-memory.ts";
import { freshGpus, type RegisteredBox } from "../registered-box.ts";
import { isoOf } from "./figures.ts";

/** Returns the readings of boxes that are up, and the reasons why other boxes show none. */
export function gpuState(boxes: readonly RegisteredBox[], nowMs: number): Gpu {
  const shown = boxes.map((box) => ({
    box: box.name,
    ...gpusOf(box, box.state !== "down", nowMs),
  }));
  const gpus = shown.flatMap((box) => box.gpus);
  const errors = shown.flatMap(({ box, error }) => (error === null ? [] : [{ box, error }]));
  return {
    available: gpus.length > 0,
    gpu_count: gpus.length,
    gpus,
    errors,
    timestamp: isoOf(nowMs),
  };
}

/** Returns the readings of one box, or the reason why it has none. */
export function gpusOf(
  box: RegisteredBox,
  isUp: boolean,
  nowMs: number,
): { gpus: GpuReading[]; error: string | null } {
  const samples = isUp ? freshGpus(box, nowMs) : [];
  const gpus = samples.map(({ at, ...sample }) => ({
    ...ofOneMoment(sample),
    memory_free_mb: freeMibOf(sample),
    timestamp: at,
    driver_version: box.readings?.gpu.driver_version ?? null,
    simulated: box.hello.simulated,
  }));
  return { gpus, error: gpus.length > 0 ? null : whyNoGpu(box, isUp) };
}

function whyNoGpu({ readings }: RegisteredBox, isUp: boolean): string {
  if (!isUp) return "the box is not connected";
  if (readings === null) return "the box has sent no readings yet";
  if (!readings.gpu.available) return readings.gpu.error ?? "the box has no readable GPU";
  return "the last sample is more than 3 minutes old";
}

function ofOneMoment({
  utilization_max_percent: _utilization,
  memory_used_max_mb: _memory,
  temperature_max_c: _temperature,
  energy_j: _energy,
  ...rest
}: Omit<GpuSample, "at">): Omit<GpuSample, "at" | keyof typeof OVER_TIME> {
  return rest;
}
