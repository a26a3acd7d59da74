/**
 * The processes on each GPU: rows of `nvidia-smi --query-compute-apps=… --format=csv,noheader,nounits`.
 * Pure.
 */
import type { GpuProcess } from "../gpu-source.ts";
import { numberIn } from "./smi-rows.ts";

export const COMPUTE_APPS_QUERY: readonly string[] = [
  "--query-compute-apps=gpu_uuid,pid,used_gpu_memory,process_name",
  "--format=csv,noheader,nounits",
];

/** Parses one line. Returns null if it is not a row. The name comes last, as it may have commas. */
export function parseComputeApp(line: string): GpuProcess | null {
  const [, uuid = "", pid, memory, name = ""] =
    /^\s*(GPU-[\w-]+|MIG-[\w/-]+),\s*(\d{1,9}),\s*([^,]*),\s*(.*?)\s*$/.exec(line) ?? [];
  if (uuid === "") return null;
  return { gpuUuid: uuid, pid: Number(pid), usedMb: numberIn(memory?.trim()), name };
}
