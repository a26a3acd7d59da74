/**
 * Picks the GPU source of a box: the one place that names GPU vendors.
 *
 * A box with GPUs of several vendors shows those of one: NVIDIA, then AMD, then Intel.
 */

import { AmdSource } from "./amd/amd-source.ts";
import { AMD_TOOLS } from "./amd/amd-tools.ts";
import { readAmdGpus } from "./amd/sysfs.ts";
import { APPLE_TOOLS } from "./apple/apple-tools.ts";
import type { GpuSource, GpuSourceOptions } from "./gpu-source.ts";
import { INTEL_TOOLS } from "./intel/xpu-smi.ts";
import { hasNvidiaGpu, pciVendors } from "./nvidia/presence.ts";
import { NvidiaSmiSource } from "./nvidia/smi-source.ts";
import { ToolSource } from "./tool-source.ts";

/** The settings that GPU sources read. */
export type GpuSettings = {
  /** Path of nvidia-smi. */
  nvidiaSmi: string;
};

/** The default of `NVIDIA_SMI`. Another path means that this tool is to be used. */
const DEFAULT_SMI = "nvidia-smi";

const AMD = "0x1002";
const INTEL = "0x8086";

export type GpuVendor = "nvidia" | "amd" | "amd tools" | "apple" | "intel";

/**
 * Returns the vendor whose GPUs are read. NVIDIA is also the answer if nothing is known: its source
 * explains what is missing.
 * @param root  the root of the file system; another one in tests
 */
export function gpuVendorOf(
  { nvidiaSmi }: GpuSettings,
  platform: NodeJS.Platform = process.platform,
  root = "/",
): GpuVendor {
  if (nvidiaSmi !== DEFAULT_SMI) return "nvidia";
  if (platform === "darwin") return "apple";
  if (hasNvidiaGpu(platform, root) !== false) return "nvidia";
  if (readAmdGpus(root).length > 0) return "amd";
  const displays = pciVendors(root);
  if (displays.has(AMD)) return "amd tools";
  return displays.has(INTEL) ? "intel" : "nvidia";
}

export function pickGpuSource(settings: GpuSettings, options: GpuSourceOptions): GpuSource {
  const vendor = gpuVendorOf(settings);
  switch (vendor) {
    case "nvidia":
      return new NvidiaSmiSource({ ...options, command: settings.nvidiaSmi });
    case "amd":
      return new AmdSource(options);
    case "amd tools":
      return new ToolSource(AMD_TOOLS, options);
    case "apple":
      return new ToolSource(APPLE_TOOLS, options);
    case "intel":
      return new ToolSource(INTEL_TOOLS, options);
  }
}
