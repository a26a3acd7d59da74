/**
 * The fields that the simulated nvidia-smi knows: their values, units and names. Pure.
 *
 * A field that a card lacks is `[N/A]`, as in the recorded outputs of real cards.
 */
import { createHash } from "node:crypto";
import type { GpuModel, SimulatedGpu } from "./gpus.ts";
import { tableOf } from "./smi-table.ts";

/** Everything that one row shows. */
export type SmiState = {
  gpu: GpuModel;
  uuid: string;
  reading: SimulatedGpu;
  power: { instantW: number; meanW: number };
};

const DRIVER = "595.71.05";

/** "GPU is idle" and "nothing" in the driver's bit mask of clock event reasons. */
const IDLE_REASON = "0x0000000000000001";
const NO_REASON = "0x0000000000000000";

const whole = (value: number) => String(Math.round(value));
const watts = (value: number) => value.toFixed(2);

export const GPU_TABLE = tableOf<SmiState>("query-gpu", {
  driver_version: { value: () => DRIVER },
  count: { value: () => "1" },
  name: { value: ({ gpu }) => gpu.name, alias: "gpu_name" },
  uuid: { value: ({ uuid }) => uuid, alias: "gpu_uuid" },
  index: { value: () => "0" },
  "fan.speed": {
    value: ({ gpu, reading }) => (gpu.hasFan ? whole(reading.fanPercent) : null),
    unit: "%",
  },
  pstate: { value: ({ reading }) => (isIdle(reading) ? "P8" : "P2") },
  "clocks_event_reasons.active": {
    value: ({ reading }) => (isIdle(reading) ? IDLE_REASON : NO_REASON),
    alias: "clocks_throttle_reasons.active",
  },
  "memory.total": { value: ({ gpu }) => whole(gpu.memoryMb), unit: "MiB" },
  "memory.used": { value: ({ reading }) => whole(reading.memoryUsedMb), unit: "MiB" },
  "memory.free": {
    value: ({ gpu, reading }) => whole(gpu.memoryMb - reading.memoryUsedMb),
    unit: "MiB",
  },
  compute_cap: { value: ({ gpu }) => gpu.computeCapability },
  "utilization.gpu": {
    value: ({ gpu, reading }) => (gpu.isMig ? null : whole(reading.utilization)),
    unit: "%",
  },
  "utilization.memory": {
    value: ({ gpu, reading }) => (gpu.isMig ? null : whole(reading.utilization * 0.6)),
    unit: "%",
  },
  "temperature.gpu": { value: ({ reading }) => whole(reading.temperatureC) },
  "power.draw": {
    value: ({ gpu, power }) =>
      gpu.power === "none" ? null : watts(gpu.power === "mean" ? power.meanW : power.instantW),
    unit: "W",
  },
  "power.draw.average": {
    value: ({ gpu, power }) => (gpu.power === "mean" ? watts(power.meanW) : null),
    unit: "W",
    alias: "gpu.power.draw.average",
  },
  "power.draw.instant": {
    value: ({ gpu, power }) => (gpu.power === "none" ? null : watts(power.instantW)),
    unit: "W",
    alias: "gpu.power.draw.instant",
  },
  "power.limit": {
    value: ({ gpu }) => (gpu.power === "none" ? null : watts(gpu.powerLimitW)),
    unit: "W",
    alias: "gpu.power.requested_limit",
  },
  "clocks.current.sm": {
    value: ({ reading }) => whole(reading.clockMhz),
    unit: "MHz",
    alias: "clocks.sm",
  },
  "mig.mode.current": { value: ({ gpu }) => (gpu.isMig ? "Enabled" : "Disabled") },
});

const isIdle = ({ utilization }: SimulatedGpu): boolean => utilization < 1;

/**
 * The same for each start of a box, so that a card keeps its identity. The agent passes its own
 * environment on.
 */
export function uuidOf(name: string, box: string): string {
  const hex = createHash("sha256").update(`${name} ${box}`).digest("hex");
  return `GPU-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
