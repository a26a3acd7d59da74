/** Picks the GPU source of a box: the one place that names GPU vendors. */
import type { GpuSource, GpuSourceOptions } from "./gpu-source.ts";
import { NvidiaSmiSource } from "./nvidia/smi-source.ts";

/** The settings that GPU sources read. */
export type GpuSettings = {
  /** Path of nvidia-smi. */
  nvidiaSmi: string;
};

export const pickGpuSource = ({ nvidiaSmi }: GpuSettings, options: GpuSourceOptions): GpuSource =>
  new NvidiaSmiSource({ ...options, command: nvidiaSmi });
