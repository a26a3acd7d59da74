/**
 * The interface between the agent and whatever reads the GPUs of a box.
 *
 * `nvidia/` is the only implementation. A second vendor is a folder beside it and one line in
 * `pick-gpu-source.ts`; nothing else in the agent names a vendor.
 */
import { GPU_BUSY_PERCENT } from "../../protocol/gpu-energy.ts";
import type { GpuState } from "../../protocol/inventory.ts";
import { READINGS_WATCHED_MS } from "../../protocol/limits.ts";
import type { EnergyMethod, GpuSample } from "../../protocol/records.ts";
import type { Log } from "../log.ts";

/** The power of one GPU. */
export type PowerReading = {
  gpuIndex: number;
  /** Null if the GPU does not report its power. */
  watts: number | null;
  /** `instant`: the power at `atMs`. `mean`: the mean of the second before. */
  kind: EnergyMethod;
  /** Time of the power by `performance.now()`. */
  atMs: number;
};

/** A process that uses a GPU. One that uses several is listed for each. */
export type GpuProcess = {
  gpuUuid: string;
  pid: number;
  /** Null if the driver does not report it. */
  usedMb: number | null;
  name: string;
};

/** Shows if the GPUs can be read, and otherwise the reason. */
export type GpuCondition = Omit<GpuState, "samples" | "history">;

/**
 * Reads every GPU of the box at a fixed interval. A missing GPU, driver or tool is a state, not an
 * exception: {@link take} reports it with its reason, and the source keeps retrying.
 */
export interface GpuSource {
  /** Starts reading. A second call does nothing. */
  start(): void;

  /** Stops reading. Resolves when no child process is left, or after a few seconds at most. */
  stop(): Promise<void>;

  /**
   * Requests begin, or the last one has ended: the source reads power as often as it can while
   * requests need it.
   */
  needPower(isNeeded: boolean): void;

  /** Returns the processes on the GPUs; null if the source does not know them. */
  processes(): Promise<GpuProcess[] | null>;

  /**
   * Returns the current state and removes the samples collected since the last call, oldest first.
   */
  take(): GpuState;

  /**
   * Returns the newest sample of each GPU, ordered by index, without removing any. Empty while the
   * GPUs cannot be read: a missing reading is better than a stale one.
   */
  latest(): GpuSample[];

  /** Returns the current state without removing samples. */
  state(): GpuCondition;
}

/** Returns true if a GPU is busy by its newest reading. */
export const isBusyGpu = (source: Pick<GpuSource, "latest">, gpuIndex: number): boolean =>
  source
    .latest()
    .some(
      ({ index, utilization_percent }) =>
        index === gpuIndex && (utilization_percent ?? 0) >= GPU_BUSY_PERCENT,
    );

export type GpuSourceOptions = {
  /** Name of the box, copied into each sample. */
  box: string;
  /** Time between two readings in whole seconds, at least 1. */
  intervalSeconds: number;
  /**
   * Keeps every nth round of readings for {@link GpuSource.take}. Default: 1, which keeps all of
   * them.
   */
  keepEvery?: number;
  /** Receives the power of one GPU at every reading, whether its sample is kept or not. */
  onPower?: (reading: PowerReading) => void;
  /** Returns the energy of a GPU since the start, in joules; null if unknown. */
  joulesOf?: (gpuIndex: number) => number | null;
  /** GPUs became readable, stale or lost. */
  onChange?: () => void;
  /** Wall clock in unix ms. Used only for the timestamps of samples. */
  now: () => number;
  log: Log;
};

/**
 * Most GPUs report their power as the mean of the last second, so a longer interval would miss
 * energy. In loop mode a reading costs tens of ms and keeps the driver up. While somebody watches,
 * readings leave every two seconds, so no more samples are kept.
 */
export const GPU_PACE: Pick<GpuSourceOptions, "intervalSeconds" | "keepEvery"> = {
  intervalSeconds: 1,
  keepEvery: READINGS_WATCHED_MS / 1_000,
};
