/**
 * AMD GPUs by the files of their kernel driver: no program and no ROCm needed, and cheap enough to
 * read often.
 *
 * `power1_input` is the power at this moment, on newer cards; `power1_average` is a mean. A GPU
 * that the kernel has put to sleep is not read, because reading would wake it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EnergyMethod } from "../../../protocol/records.ts";
import { blankReport, figureIn } from "../blank-report.ts";
import type { GpuReport } from "../gpu-readings.ts";

const VENDOR = "0x1002";
const MIB = 2 ** 20;
const MICRO = 1e6;
const MILLI = 1_000;
const FAN_FULL = 255;

export type AmdReading = { report: GpuReport; powerKind: EnergyMethod };

/** @param root  the root of the file system; another one in tests */
export function readAmdGpus(root = "/"): AmdReading[] {
  const drm = join(root, "sys/class/drm");
  const cards = namesIn(drm).filter((name) => /^card\d+$/.test(name));
  return cards
    .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
    .map((name) => join(drm, name, "device"))
    .filter((device) => textOf(join(device, "vendor")) === VENDOR)
    .map((device, index) => readGpu(device, index));
}

function readGpu(device: string, index: number): AmdReading {
  const name = textOf(join(device, "product_name")) || nameByDevice(device);
  const report = { ...blankReport(index, name), uuid: textOf(join(device, "unique_id")) || null };
  report.memory_total_mb = scaled(device, "mem_info_vram_total", MIB);
  if (textOf(join(device, "power/runtime_status")) === "suspended")
    return { report: { ...report, utilization_percent: 0 }, powerKind: "mean" };
  const sensors = hwmonOf(device);
  const instant = scaled(sensors, "power1_input", MICRO);
  const fan = scaled(sensors, "pwm1", FAN_FULL / 100);
  return {
    report: {
      ...report,
      utilization_percent: scaled(device, "gpu_busy_percent", 1),
      memory_used_mb: scaled(device, "mem_info_vram_used", MIB),
      temperature_c: scaled(sensors, "temp1_input", MILLI),
      power_draw_w: instant ?? scaled(sensors, "power1_average", MICRO),
      power_limit_w: scaled(sensors, "power1_cap", MICRO),
      sm_clock_mhz: scaled(sensors, "freq1_input", MICRO),
      fan_percent: fan === null ? null : Math.round(fan),
    },
    powerKind: instant === null ? "mean" : "instant",
  };
}

const nameByDevice = (device: string): string => {
  const id = textOf(join(device, "device")).replace(/^0x/, "");
  return id === "" ? "AMD GPU" : `AMD GPU ${id}`;
};

/** Returns the folder of a device's sensors; the first one, as there is only one. */
function hwmonOf(device: string): string {
  const folder = join(device, "hwmon");
  return join(folder, namesIn(folder)[0] ?? "");
}

function scaled(folder: string, file: string, divisor: number): number | null {
  const value = figureIn(textOf(join(folder, file)));
  return value === null ? null : Math.round((1_000 * value) / divisor) / 1_000;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
