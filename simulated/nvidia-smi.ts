#!/usr/bin/env node
/**
 * A simulated nvidia-smi: `--query-gpu=… --format=csv,noheader,nounits [-l seconds]`, which fails
 * as the real one does for an unknown field.
 *
 * Environment: `SIMULATED_OLLAMA` (URL of the simulated Ollama that loads the card; without it the
 * card is idle) and `SIMULATED_GPU` (a name from `gpus.ts`, rtx-4090 by default).
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { GPU_MODELS, type GpuModel, idleReading, nextReading, type SimulatedGpu } from "./gpus.ts";

type Field = { value: (gpu: GpuModel, reading: SimulatedGpu) => string; unit?: string };

const DRIVER = "595.71.05";
/** "GPU is idle" and "nothing" in the driver's bit mask of clock event reasons. */
const IDLE_REASON = "0x0000000000000001";
const NO_REASON = "0x0000000000000000";

const whole = (value: number) => String(Math.round(value));
const reasons: Field = {
  value: (_gpu, reading) => (reading.utilization < 1 ? IDLE_REASON : NO_REASON),
};

const FIELDS: Record<string, Field> = {
  index: { value: () => "0" },
  count: { value: () => "1" },
  uuid: { value: (gpu) => uuidOf(gpu.name) },
  gpu_uuid: { value: (gpu) => uuidOf(gpu.name) },
  name: { value: (gpu) => gpu.name },
  driver_version: { value: () => DRIVER },
  pstate: { value: (_gpu, reading) => (reading.utilization < 1 ? "P8" : "P2") },
  "utilization.gpu": { value: (_gpu, reading) => whole(reading.utilization), unit: "%" },
  "utilization.memory": { value: (_gpu, reading) => whole(reading.utilization * 0.6), unit: "%" },
  "memory.used": { value: (_gpu, reading) => whole(reading.memoryUsedMb), unit: "MiB" },
  "memory.total": { value: (gpu) => whole(gpu.memoryMb), unit: "MiB" },
  "memory.free": {
    value: (gpu, reading) => whole(gpu.memoryMb - reading.memoryUsedMb),
    unit: "MiB",
  },
  "temperature.gpu": { value: (_gpu, reading) => whole(reading.temperatureC) },
  "power.draw": { value: (_gpu, reading) => reading.powerW.toFixed(2), unit: "W" },
  "power.limit": { value: (gpu) => gpu.powerLimitW.toFixed(2), unit: "W" },
  "fan.speed": {
    value: (gpu, reading) => (gpu.hasFan ? whole(reading.fanPercent) : "[N/A]"),
    unit: "%",
  },
  "clocks.sm": { value: (_gpu, reading) => whole(reading.clockMhz), unit: "MHz" },
  "clocks_event_reasons.active": reasons,
  "clocks_throttle_reasons.active": reasons,
};

/**
 * The same for each start of a box, so that a card keeps its identity. The agent passes its own
 * environment on.
 */
function uuidOf(name: string): string {
  const hex = createHash("sha256")
    .update(`${name} ${process.env.BOX_NAME ?? ""}`)
    .digest("hex");
  return `GPU-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** The response of the simulated Ollama's control routes. */
const Load = z.object({ load: z.number(), vram_used_bytes: z.number() });
type Load = z.infer<typeof Load>;
const IDLE: Load = { load: 0, vram_used_bytes: 0 };
const LOAD_MS = 500;

/** An Ollama that has ended uses no GPU. */
async function loadAt(url: string | undefined): Promise<Load> {
  if (url === undefined) return IDLE;
  try {
    const response = await fetch(new URL("/_simulated/load", url), {
      signal: AbortSignal.timeout(LOAD_MS),
    });
    return Load.parse(await response.json());
  } catch {
    return IDLE;
  }
}

function stopWith(message: string, code: number): never {
  // The real program prints its errors to stdout too.
  console.log(message);
  process.exit(code);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      "query-gpu": { type: "string" },
      format: { type: "string", default: "csv" },
      loop: { type: "string", short: "l" },
    },
  });
  const columns =
    values["query-gpu"]?.split(",") ??
    stopWith("This simulated nvidia-smi answers --query-gpu only.", 2);
  const unknown = columns.find((column) => FIELDS[column] === undefined);
  if (unknown !== undefined) stopWith(`Field "${unknown}" is not a valid field to query.\n`, 2);
  const gpu =
    GPU_MODELS[process.env.SIMULATED_GPU ?? "rtx-4090"] ?? stopWith("No devices were found", 6);
  const format = values.format.split(",");
  const hasUnits = !format.includes("nounits");
  if (!format.includes("noheader")) {
    console.log(
      columns
        .map((column) => (FIELDS[column]?.unit ? `${column} [${FIELDS[column].unit}]` : column))
        .join(", "),
    );
  }
  const seconds = values.loop === undefined ? null : Number(values.loop);
  let reading = idleReading(gpu);
  let at = performance.now();
  for (;;) {
    const { load, vram_used_bytes } = await loadAt(process.env.SIMULATED_OLLAMA);
    const now = performance.now();
    reading = nextReading(
      gpu,
      reading,
      load,
      vram_used_bytes / 2 ** 20,
      (now - at) / 1_000,
      Math.random,
    );
    at = now;
    console.log(columns.map((column) => cellOf(column, gpu, reading, hasUnits)).join(", "));
    if (seconds === null) return;
    await sleep(seconds * 1_000);
  }
}

function cellOf(column: string, gpu: GpuModel, reading: SimulatedGpu, hasUnits: boolean): string {
  const field = FIELDS[column];
  if (field === undefined) return "[N/A]";
  const value = field.value(gpu, reading);
  return hasUnits && field.unit !== undefined && value !== "[N/A]"
    ? `${value} ${field.unit}`
    : value;
}

// Nothing reads the output any more: the agent has ended.
process.stdout.on("error", () => process.exit(0));
await main();
