/**
 * Simulated GPUs: the properties of a card, and how its readings follow its load.
 *
 * Pure: the caller passes the load, the time and the random numbers. Readings drift towards the
 * values for the load, because a real card warms up and cools down over tens of seconds and its
 * utilization jitters.
 */

export type GpuModel = {
  name: string;
  memoryMb: number;
  powerLimitW: number;
  idleW: number;
  clockMhz: number;
  hasFan: boolean;
};

export const GPU_MODELS: Record<string, GpuModel> = {
  "rtx-4090": {
    name: "NVIDIA GeForce RTX 4090",
    memoryMb: 24_564,
    powerLimitW: 450,
    idleW: 22,
    clockMhz: 2_745,
    hasFan: true,
  },
  "rtx-3090": {
    name: "NVIDIA GeForce RTX 3090",
    memoryMb: 24_576,
    powerLimitW: 350,
    idleW: 28,
    clockMhz: 1_965,
    hasFan: true,
  },
  h100: {
    name: "NVIDIA H100 80GB HBM3",
    memoryMb: 81_559,
    powerLimitW: 700,
    idleW: 70,
    clockMhz: 1_980,
    hasFan: false,
  },
};

export type SimulatedGpu = {
  utilization: number;
  memoryUsedMb: number;
  temperatureC: number;
  powerW: number;
  clockMhz: number;
  fanPercent: number;
};

/** Memory that the driver itself uses. */
const DRIVER_MB = 420;
const AMBIENT_C = 34;
const FULL_LOAD_C = 78;
/** Time constant in seconds: a reading covers two thirds of its way in this time. */
const FAST_S = 0.8;
const THERMAL_S = 25;

export const idleReading = (gpu: GpuModel): SimulatedGpu => ({
  utilization: 0,
  memoryUsedMb: DRIVER_MB,
  temperatureC: AMBIENT_C,
  powerW: gpu.idleW,
  clockMhz: 210,
  fanPercent: 0,
});

/**
 * @param load    0..1
 * @param vramMb  memory that models use
 * @param seconds since the last reading
 * @param random  uniform in [0, 1)
 */
export function nextReading(
  gpu: GpuModel,
  last: SimulatedGpu,
  load: number,
  vramMb: number,
  seconds: number,
  random: () => number,
): SimulatedGpu {
  const jitter = (size: number) => (random() - 0.5) * size;
  const toward = (from: number, to: number, tau: number) =>
    to + (from - to) * Math.exp(-seconds / tau);
  const isBusy = load > 0;
  const utilization = within(
    toward(last.utilization, isBusy ? 55 + 43 * load + jitter(8) : 0, FAST_S),
    0,
    100,
  );
  const powerW = toward(
    last.powerW,
    gpu.idleW +
      (gpu.powerLimitW - gpu.idleW) * (utilization / 100) * 0.92 +
      jitter(gpu.powerLimitW / 50),
    FAST_S,
  );
  const heat = (powerW - gpu.idleW) / (gpu.powerLimitW - gpu.idleW);
  const temperatureC = toward(
    last.temperatureC,
    AMBIENT_C + (FULL_LOAD_C - AMBIENT_C) * heat,
    THERMAL_S,
  );
  return {
    utilization,
    memoryUsedMb: Math.min(gpu.memoryMb, DRIVER_MB + vramMb),
    temperatureC,
    powerW: within(powerW, gpu.idleW * 0.9, gpu.powerLimitW * 1.02),
    clockMhz: isBusy ? gpu.clockMhz - 15 * Math.floor(random() * 4) : 210,
    fanPercent:
      gpu.hasFan && temperatureC > 50 ? within(30 + (temperatureC - 50) * 1.8, 30, 100) : 0,
  };
}

const within = (value: number, min: number, max: number) => Math.max(min, Math.min(max, value));
