/**
 * Simulated GPUs: the properties of a card, and how its readings follow its load.
 *
 * Pure: the caller passes the load, the time and the random numbers. Readings drift towards the
 * values for the load, because a real card warms up and cools down over tens of seconds and its
 * utilization jitters. Power follows at once: see `power.ts`.
 */

/**
 * The power readings of a card: NVIDIA's help texts and recorded outputs describe these kinds.
 * - `mean`: `power.draw` is the mean of the last second, beside an instantaneous one. Ampere and later.
 * - `instant`: `power.draw` is instantaneous, and there is no mean. Turing and older.
 * - `none`: the card measures no power.
 */
export type PowerReadings = "mean" | "instant" | "none";

export type GpuModel = {
  name: string;
  memoryMb: number;
  powerLimitW: number;
  idleW: number;
  /** Added to the idle power by a loaded model. */
  loadedW: number;
  power: PowerReadings;
  computeCapability: string;
  clockMhz: number;
  hasFan: boolean;
  /** Divided into instances: the driver then reports no utilization of the whole card. */
  isMig?: true;
};

const H100: GpuModel = {
  name: "NVIDIA H100 80GB HBM3 (simulated)",
  memoryMb: 81_559,
  powerLimitW: 700,
  idleW: 73,
  loadedW: 49,
  power: "mean",
  computeCapability: "9.0",
  clockMhz: 1_980,
  hasFan: false,
};

export const GPU_MODELS: Record<string, GpuModel> = {
  "rtx-4090": {
    name: "NVIDIA GeForce RTX 4090 (simulated)",
    memoryMb: 24_564,
    powerLimitW: 450,
    idleW: 22,
    loadedW: 12,
    power: "mean",
    computeCapability: "8.9",
    clockMhz: 2_745,
    hasFan: true,
  },
  "rtx-3090": {
    name: "NVIDIA GeForce RTX 3090 (simulated)",
    memoryMb: 24_576,
    powerLimitW: 350,
    idleW: 28,
    loadedW: 14,
    power: "mean",
    computeCapability: "8.6",
    clockMhz: 1_965,
    hasFan: true,
  },
  "rtx-2080": {
    name: "NVIDIA GeForce RTX 2080 SUPER (simulated)",
    memoryMb: 8_192,
    powerLimitW: 250,
    idleW: 39,
    loadedW: 8,
    power: "instant",
    computeCapability: "7.5",
    clockMhz: 2_145,
    hasFan: true,
  },
  "gt-1030": {
    name: "NVIDIA GeForce GT 1030 (simulated)",
    memoryMb: 2_048,
    powerLimitW: 30,
    idleW: 5,
    loadedW: 1,
    power: "none",
    computeCapability: "6.1",
    clockMhz: 1_733,
    hasFan: true,
  },
  h100: H100,
  "h100-mig": { ...H100, isMig: true },
};

export type SimulatedGpu = {
  utilization: number;
  memoryUsedMb: number;
  temperatureC: number;
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

/** Utilization in percent that a card reaches under a load of 0..1. */
export const utilizationFor = (load: number): number => (load > 0 ? 55 + 43 * load : 0);

export const idleReading = (): SimulatedGpu => ({
  utilization: 0,
  memoryUsedMb: DRIVER_MB,
  temperatureC: AMBIENT_C,
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
    toward(last.utilization, isBusy ? utilizationFor(load) + jitter(8) : 0, FAST_S),
    0,
    100,
  );
  const temperatureC = toward(
    last.temperatureC,
    AMBIENT_C + (FULL_LOAD_C - AMBIENT_C) * (utilization / 100),
    THERMAL_S,
  );
  return {
    utilization,
    memoryUsedMb: Math.min(gpu.memoryMb, DRIVER_MB + vramMb),
    temperatureC,
    clockMhz: isBusy ? gpu.clockMhz - 15 * Math.floor(random() * 4) : 210,
    fanPercent:
      gpu.hasFan && temperatureC > 50 ? within(30 + (temperatureC - 50) * 1.8, 30, 100) : 0,
  };
}

const within = (value: number, min: number, max: number) => Math.max(min, Math.min(max, value));
