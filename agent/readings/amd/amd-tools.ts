/**
 * AMD GPUs by amd-smi or rocm-smi, for machines whose sysfs shows no GPU. Pure.
 *
 * Both are Python programs that take most of a second of CPU time, so they run rarely.
 */
import * as z from "zod";
import { blankReport, figureIn } from "../blank-report.ts";
import type { GpuReport } from "../gpu-readings.ts";
import type { GpuTool } from "../tool-source.ts";

/** A figure with its unit, a bare figure, or `N/A`. */
const Cell = z.union([z.object({ value: z.unknown() }), z.unknown()]);
const Group = z.union([z.record(z.string(), Cell), z.unknown()]);

const AmdGpu = z.object({
  gpu: z.int().nonnegative(),
  usage: Group.optional(),
  power: Group.optional(),
  temperature: Group.optional(),
  mem_usage: Group.optional(),
  clock: Group.optional(),
  fan: Group.optional(),
});
const AmdSmi = z.union([z.array(AmdGpu), z.object({ gpu_data: z.array(AmdGpu) })]);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns the figure at a path, with or without its unit. */
function figureAt(group: unknown, ...path: string[]): number | null {
  let value = group;
  for (const name of path) value = isRecord(value) ? value[name] : undefined;
  return figureIn(isRecord(value) ? value.value : value);
}

/** Returns the readings in the output of `amd-smi metric --json`. */
export function parseAmdSmi(text: string): GpuReport[] {
  const parsed = AmdSmi.safeParse(jsonIn(text));
  if (!parsed.success) return [];
  const gpus = Array.isArray(parsed.data) ? parsed.data : parsed.data.gpu_data;
  return gpus.map(({ gpu, usage, power, temperature, mem_usage, clock, fan }) => ({
    ...blankReport(gpu, "AMD GPU"),
    utilization_percent: figureAt(usage, "gfx_activity"),
    power_draw_w: figureAt(power, "socket_power") ?? figureAt(power, "average_socket_power"),
    temperature_c: figureAt(temperature, "edge") ?? figureAt(temperature, "hotspot"),
    memory_used_mb: figureAt(mem_usage, "used_vram"),
    memory_total_mb: figureAt(mem_usage, "total_vram"),
    sm_clock_mhz: figureAt(clock, "gfx_0", "clk"),
    fan_percent: figureAt(fan, "usage"),
  }));
}

const MIB = 2 ** 20;

/** Returns the readings in the output of `rocm-smi --json`. Its names changed over time. */
export function parseRocmSmi(text: string): GpuReport[] {
  const cards = jsonIn(text);
  if (!isRecord(cards)) return [];
  return Object.entries(cards).flatMap(([name, card]) => {
    const index = /^card(\d{1,4})$/.exec(name)?.[1];
    if (index === undefined || !isRecord(card)) return [];
    const figure = (...labels: string[]): number | null =>
      labels.map((label) => figureIn(card[label])).find((value) => value !== null) ?? null;
    const inMib = (bytes: number | null) => (bytes === null ? null : Math.round(bytes / MIB));
    const series = card["Card Series"] ?? card["Card series"] ?? card["Device Name"];
    return [
      {
        ...blankReport(
          Number(index),
          typeof series === "string" ? series.slice(0, 128) : "AMD GPU",
        ),
        utilization_percent: figure("GPU use (%)"),
        power_draw_w: figure(
          "Average Graphics Package Power (W)",
          "Current Socket Graphics Package Power (W)",
        ),
        temperature_c: figure("Temperature (Sensor edge) (C)", "Temperature (Sensor junction) (C)"),
        memory_used_mb: inMib(figure("VRAM Total Used Memory (B)")),
        memory_total_mb: inMib(figure("VRAM Total Memory (B)")),
        fan_percent: figure("Fan speed (%)", "Fan Speed (%)"),
      },
    ];
  });
}

/** Returns the JSON in a text, which may follow a warning. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text.slice(Math.max(0, text.search(/^[[{]/m))));
  } catch {
    return null;
  }
}

/** Longer outputs are not readings. */
const OUTPUT_CHARS_MAX = 1_000_000;

/** Collects lines until they are one JSON text that holds readings. */
function wholeText(parse: (text: string) => GpuReport[]): () => (line: string) => GpuReport[] {
  return () => {
    let text = "";
    return (line) => {
      if (text.length < OUTPUT_CHARS_MAX) text += `${line}\n`;
      // Only the last line of an object or array can complete it.
      return /^[}\]]|[}\]]\s*$/.test(line) ? parse(text) : [];
    };
  };
}

const AGAIN_SECONDS = 5;

export const AMD_TOOLS: readonly GpuTool[] = [
  {
    name: "amd-smi",
    args: ["metric", "--json"],
    againSeconds: AGAIN_SECONDS,
    parser: wholeText(parseAmdSmi),
  },
  {
    name: "rocm-smi",
    args: [
      "--showproductname",
      "--showuse",
      "--showpower",
      "--showtemp",
      "--showfan",
      "--showmeminfo",
      "vram",
      "--json",
    ],
    againSeconds: AGAIN_SECONDS,
    parser: wholeText(parseRocmSmi),
  },
];
