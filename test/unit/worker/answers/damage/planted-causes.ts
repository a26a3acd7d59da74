/** Causes of damage that are planted in a box, and the concerns that each must raise. */
import type { Concern } from "../../../../../protocol/concern.ts";
import { type Cause as CallCause, SLOW_AT } from "./labelled-trace.ts";

/** The largest model on the disk of 1,000 GiB. With less room than a tenth, the disk is full anyway. */
export const LARGEST_BYTES = 150 * 2 ** 30;

export type Between = (low: number, high: number) => number;
/** The state of the machine at one time; a cause changes it. */
export type Machine = {
  busyPercent: number;
  temperatureC: number;
  throttleReasons: string[];
  /** Why the agent reads no GPU although the box has one. */
  gpuError: string | null;
  hasGpu: boolean;
  ollamaError: string | null;
  sizeBytes: number;
  vramBytes: number;
  freeBytes: number;
  skewMs: number;
  agentVersion: string;
  storeBacklog: number;
};
type Plant = { calls: CallCause; fromMs?: number; changed?: (machine: Machine) => void };

/** The codes that a cause must raise, others that it may, and how it is planted. */
export type Planted = {
  must: Concern["code"][];
  may?: Concern["code"][];
  /** The cause that `model_slow` must name. */
  slowBy?: string;
  plant: (between: Between) => Plant;
};

const onMachine =
  (change: (machine: Machine, between: Between) => void, calls: CallCause = "calm") =>
  (between: Between): Plant => ({ calls, changed: (machine) => change(machine, between) });
const slowBy = (change: (machine: Machine, between: Between) => void) => (between: Between) => ({
  ...onMachine(change, "slow")(between),
  fromMs: SLOW_AT,
});
const onCalls = (calls: CallCause) => (): Plant => ({ calls });
export const oneOf = <Value>(values: readonly [Value, ...Value[]], between: Between): Value =>
  values[Math.floor(between(0, values.length))] ?? values[0];

const GPU_ERRORS = [
  "GPU 0000:01:00.0 does not answer (GPU is lost.): it may have fallen off the bus; reset it or reboot",
  "no NVIDIA GPU was found: if this box has one, check the driver's log (dmesg)",
  "NVIDIA driver/library version mismatch: reboot, or reload the NVIDIA kernel modules",
] as const;

export const PLANTED: Record<string, Planted> = {
  "calm: a request now and then": { must: [], plant: onCalls("calm") },
  "calm: a request every 4 s": { must: [], plant: onCalls("busy") },
  "calm: a request every 3 h": { must: [], plant: onCalls("sparse") },
  "calm: a box without a GPU": {
    must: [],
    plant: onMachine((machine) => {
      machine.hasGpu = false;
    }),
  },
  "prompts longer than num_ctx": { must: ["prompts_truncated"], plant: onCalls("long_prompts") },
  "two models alternate": { must: ["models_reloading"], plant: onCalls("models") },
  "two contexts alternate": { must: ["models_reloading"], plant: onCalls("contexts") },
  "a keep_alive that is too short": { must: ["cold_starts"], plant: onCalls("short_keep_alive") },
  "a slow model": { must: ["model_slow"], slowBy: "unknown", plant: onCalls("slow") },
  "slow by another model": {
    must: ["model_slow"],
    slowBy: "neighbour",
    plant: onCalls("neighbour"),
  },
  "slow by heat": {
    must: ["model_slow", "gpu_throttled"],
    may: ["gpu_hot"],
    slowBy: "heat",
    plant: slowBy((machine, between) => {
      machine.temperatureC = between(83, 94);
      machine.throttleReasons = oneOf(
        [["sw_thermal_slowdown"], ["sw_power_cap", "hw_thermal_slowdown"]],
        between,
      );
    }),
  },
  "slow by the power cap": {
    must: ["model_slow"],
    slowBy: "power",
    plant: slowBy((machine) => {
      machine.throttleReasons = ["sw_power_cap"];
    }),
  },
  "slow by the power supply": {
    must: ["model_slow", "gpu_throttled"],
    slowBy: "power",
    plant: slowBy((machine) => {
      machine.throttleReasons = ["hw_power_brake_slowdown"];
    }),
  },
  "slow, partly on the CPU": {
    must: ["model_slow", "model_on_cpu"],
    slowBy: "cpu",
    plant: slowBy((machine, between) => {
      machine.vramBytes = machine.sizeBytes * between(0.3, 0.95);
    }),
  },
  "a model partly on the CPU": {
    must: ["model_on_cpu"],
    plant: onMachine((machine, between) => {
      machine.vramBytes = machine.sizeBytes * between(0, 0.98);
    }),
  },
  "calls that bypass the edge": {
    must: ["gpu_bypassed"],
    plant: onMachine((machine, between) => {
      machine.busyPercent = between(45, 100);
    }),
  },
  "a GPU that is lost": {
    must: ["gpu_lost"],
    plant: onMachine((machine, between) => {
      machine.gpuError = oneOf(GPU_ERRORS, between);
    }),
  },
  "an Ollama that hangs": {
    must: ["ollama_unreachable"],
    plant: onMachine((machine) => {
      machine.ollamaError = "Ollama has not answered for 30 s";
    }),
  },
  "a disk too small for the next pull": {
    must: ["disk_short"],
    plant: onMachine((machine, between) => {
      machine.freeBytes = LARGEST_BYTES * between(0.7, 0.99);
    }),
  },
  "a store that is behind": {
    must: ["store_behind"],
    plant: onMachine((machine, between) => {
      machine.storeBacklog = between(10_001, 400_000);
    }),
  },
  "an older agent": {
    must: ["agent_outdated"],
    plant: onMachine((machine, between) => {
      machine.agentVersion = oneOf(["0.0.9", "0.1.0-rc.2"], between);
    }),
  },
  "a wrong clock": {
    must: ["clock_skew"],
    plant: onMachine((machine, between) => {
      machine.skewMs = between(35_000, 7_200_000) * (between(0, 1) < 0.5 ? -1 : 1);
    }),
  },
};
