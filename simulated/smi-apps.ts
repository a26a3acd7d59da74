/**
 * The processes on the simulated card, as `--query-compute-apps` lists them: one runner of Ollama for
 * each model in memory. Pure.
 */
import type { GpuModel } from "./gpus.ts";
import { tableOf } from "./smi-table.ts";
import { textHash } from "./text.ts";

/** A model in the memory of the card. */
export type LoadedOnCard = { name: string; vram_bytes: number };

export type SmiApp = { gpu: GpuModel; uuid: string; at: Date; model: LoadedOnCard };

const MIB = 2 ** 20;

/** A runner keeps its pid while its model is in memory. */
const pidOf = (name: string): number => 2_000 + (textHash(name) % 30_000);

/** The time of the driver: local, with slashes. */
const stampOf = (at: Date): string => {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("/");
  const time = [two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join(":");
  return `${date} ${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
};

/** In the order and the form of recorded outputs. */
export const APP_TABLE = tableOf<SmiApp>("query-compute-apps", {
  timestamp: { value: ({ at }) => stampOf(at) },
  gpu_name: { value: ({ gpu }) => gpu.name },
  gpu_bus_id: { value: () => "00000000:01:00.0" },
  gpu_serial: { value: () => null },
  gpu_uuid: { value: ({ uuid }) => uuid },
  pid: { value: ({ model }) => String(pidOf(model.name)) },
  process_name: { value: () => "/usr/local/bin/ollama" },
  used_gpu_memory: {
    value: ({ model }) => String(Math.round(model.vram_bytes / MIB)),
    unit: "MiB",
    alias: "used_memory",
  },
});
