/** The metric families of GPUs. A part of the table in `metrics.ts`. */
import type { Family } from "./family.ts";

const GPU = ["box", "gpu", "uuid", "name"] as const;

export const GPU_METRICS = {
  gpuUp: {
    type: "gauge",
    name: "ollama_gpu_up",
    help: "1 if the GPU is read, 0 if it was read before or should be readable and is not. No sample for a box without a GPU.",
    labels: GPU,
  },
  gpuUtilization: {
    type: "gauge",
    name: "ollama_gpu_utilization_ratio",
    help: "Share of the time that the GPU was busy, 0 to 1.",
    labels: GPU,
  },
  gpuMemoryUsed: {
    type: "gauge",
    name: "ollama_gpu_memory_used_bytes",
    help: "Used GPU memory.",
    labels: GPU,
  },
  gpuMemoryTotal: {
    type: "gauge",
    name: "ollama_gpu_memory_total_bytes",
    help: "Total GPU memory.",
    labels: GPU,
  },
  gpuTemperature: {
    type: "gauge",
    name: "ollama_gpu_temperature_celsius",
    help: "Temperature of the GPU.",
    labels: GPU,
  },
  gpuPower: {
    type: "gauge",
    name: "ollama_gpu_power_watts",
    help: "Power draw of the GPU.",
    labels: GPU,
  },
  gpuPowerLimit: {
    type: "gauge",
    name: "ollama_gpu_power_limit_watts",
    help: "Power limit of the GPU.",
    labels: GPU,
  },
  gpuClock: {
    type: "gauge",
    name: "ollama_gpu_sm_clock_hertz",
    help: "Clock of the GPU's streaming multiprocessors.",
    labels: GPU,
  },
  gpuFan: {
    type: "gauge",
    name: "ollama_gpu_fan_speed_ratio",
    help: "Fan speed as a share of its maximum, 0 to 1.",
    labels: GPU,
  },
  gpuThrottled: {
    type: "gauge",
    name: "ollama_gpu_throttle_reason",
    help: "1 for each reason for which the clocks of the GPU are lowered now, such as sw_power_cap.",
    labels: [...GPU, "reason"],
  },
  gpuEnergy: {
    type: "counter",
    name: "ollama_gpu_energy_joules_total",
    help: "Energy of the GPU by state of its box: active (a request is open), loaded (only a model is in memory) or idle.",
    labels: [...GPU, "state"],
  },
  gpuEnergySeconds: {
    type: "counter",
    name: "ollama_gpu_energy_seconds_total",
    help: "Time over which ollama_gpu_energy_joules_total was measured, by state of the box.",
    labels: [...GPU, "state"],
  },
} as const satisfies Record<string, Family>;
