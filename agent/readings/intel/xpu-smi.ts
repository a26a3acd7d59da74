/**
 * Intel GPUs, by xpu-smi. Pure.
 *
 * Columns are found by their header, because their order and their units differ between versions.
 */
import { blankReport, figureIn } from "../blank-report.ts";
import type { GpuReport } from "../gpu-readings.ts";
import type { GpuTool } from "../tool-source.ts";

/** Utilization, power, frequency, core temperature and used memory. */
const METRICS = "0,1,2,3,18";

const FIELDS: readonly (readonly [
  header: RegExp,
  field:
    | "utilization_percent"
    | "power_draw_w"
    | "sm_clock_mhz"
    | "temperature_c"
    | "memory_used_mb",
])[] = [
  [/^GPU Utilization \(%\)$/, "utilization_percent"],
  [/^GPU Power \(W\)$/, "power_draw_w"],
  [/^GPU Frequency \(MHz\)$/, "sm_clock_mhz"],
  [/^GPU Core Temperature \(/, "temperature_c"],
  [/^GPU Memory Used \(MiB\)$/, "memory_used_mb"],
];

/** Returns a parser of `xpu-smi dump`. Rows before a header are not understood. */
export function xpuSmiParser(): (line: string) => GpuReport[] {
  let headers: string[] = [];
  return (line) => {
    const cells = line.split(",").map((cell) => cell.trim());
    if (cells[0] === "Timestamp" && cells[1] === "DeviceId") {
      headers = cells;
      return [];
    }
    const device = cells[1] ?? "";
    if (cells.length !== headers.length || !/^\d{1,4}$/.test(device)) return [];
    const report = blankReport(Number(device), `Intel GPU ${device}`);
    for (const [header, field] of FIELDS) {
      const column = headers.findIndex((name) => header.test(name));
      if (column >= 0) report[field] = figureIn(cells[column]);
    }
    return [report];
  };
}

export const INTEL_TOOLS: readonly GpuTool[] = [
  {
    name: "xpu-smi",
    args: ["dump", "-d", "-1", "-m", METRICS, "-i", "1"],
    againSeconds: null,
    parser: xpuSmiParser,
  },
];
