/**
 * The GPU of an Apple Silicon Mac, by macmon or powermetrics. Pure.
 *
 * macmon needs no root and is tried first. powermetrics is part of macOS and needs root. Both print
 * the mean power of their interval. Memory is shared with the CPU, so there is no VRAM to report.
 */
import * as z from "zod";
import { blankReport, figureIn } from "../blank-report.ts";
import type { GpuReport } from "../gpu-readings.ts";
import type { GpuTool } from "../tool-source.ts";

const NAME = "Apple GPU";

/** `gpu_usage` is the clock in MHz and the busy share, 0 to 1. */
const MacmonLine = z.object({
  gpu_power: z.number().optional(),
  gpu_usage: z.tuple([z.number(), z.number()]).optional(),
  temp: z.object({ gpu_temp_avg: z.number().optional() }).optional(),
});

/** Returns the reading in a line of `macmon pipe`. */
export function parseMacmon(line: string): GpuReport[] {
  if (!line.startsWith("{")) return [];
  const parsed = MacmonLine.safeParse(jsonIn(line));
  if (!parsed.success) return [];
  const { gpu_power, gpu_usage, temp } = parsed.data;
  if (gpu_power === undefined && gpu_usage === undefined) return [];
  const [clock, share] = gpu_usage ?? [null, null];
  return [
    {
      ...blankReport(0, NAME),
      power_draw_w: gpu_power ?? null,
      utilization_percent: share === null ? null : 100 * share,
      sm_clock_mhz: clock,
      temperature_c: temp?.gpu_temp_avg ?? null,
    },
  ];
}

function jsonIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Returns a parser of the text of powermetrics. A reading ends with its power. */
export function powermetricsParser(): (line: string) => GpuReport[] {
  let report = blankReport(0, NAME);
  return (line) => {
    const [, label = "", value = ""] = /^([\w ]+?):\s*([\d.]+)/.exec(line) ?? [];
    const figure = figureIn(value);
    if (label === "GPU HW active frequency" || label === "GPU active frequency")
      report.sm_clock_mhz = figure;
    if (label === "GPU idle residency" && figure !== null)
      report.utilization_percent = Math.round(100 * (100 - figure)) / 100;
    if (label !== "GPU Power" || figure === null) return [];
    const ended = { ...report, power_draw_w: figure / 1_000 };
    report = blankReport(0, NAME);
    return [ended];
  };
}

export const APPLE_TOOLS: readonly GpuTool[] = [
  {
    name: "macmon",
    args: ["pipe", "-i", "1000"],
    againSeconds: null,
    parser: () => parseMacmon,
  },
  {
    name: "powermetrics",
    args: ["--samplers", "gpu_power", "-i", "1000"],
    againSeconds: null,
    parser: powermetricsParser,
  },
];
