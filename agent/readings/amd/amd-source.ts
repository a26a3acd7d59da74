/**
 * The GPU source for AMD: reads sysfs, every second and ten times a second while requests need it.
 */
import { performance } from "node:perf_hooks";
import type { GpuState } from "../../../protocol/inventory.ts";
import type { GpuSample } from "../../../protocol/records.ts";
import { GpuReadings } from "../gpu-readings.ts";
import type { GpuCondition, GpuSource, GpuSourceOptions } from "../gpu-source.ts";
import { type AmdReading, readAmdGpus } from "./sysfs.ts";

const POWER_EVERY_MS = 100;

export class AmdSource implements GpuSource {
  readonly #options: GpuSourceOptions;
  readonly #root: string;
  readonly #readings: GpuReadings;
  #timer: NodeJS.Timeout | null = null;
  #powerTimer: NodeJS.Timeout | null = null;

  /** @param root  the root of the file system; another one in tests */
  constructor(options: GpuSourceOptions, root = "/") {
    this.#options = options;
    this.#root = root;
    this.#readings = new GpuReadings(options);
  }

  start(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#read(), 1_000 * this.#options.intervalSeconds);
    this.#read();
  }

  async stop(): Promise<void> {
    for (const timer of [this.#timer, this.#powerTimer]) if (timer !== null) clearInterval(timer);
    this.#timer = null;
    this.#powerTimer = null;
    this.#readings.stop();
  }

  needPower(isNeeded: boolean): void {
    if (this.#powerTimer !== null) clearInterval(this.#powerTimer);
    this.#powerTimer = isNeeded ? setInterval(() => this.#readPower(), POWER_EVERY_MS) : null;
  }

  /** The kernel lists processes only for root. */
  async processes(): Promise<null> {
    return null;
  }

  take(): GpuState {
    return this.#readings.take();
  }

  latest(): GpuSample[] {
    return this.#readings.latest();
  }

  state(): GpuCondition {
    return this.#readings.state();
  }

  #read(): void {
    const gpus = readAmdGpus(this.#root);
    this.#passPower(gpus);
    for (const { report } of gpus) this.#readings.accept(report);
    if (gpus.length === 0) this.#readings.fail("the kernel shows no AMD GPU in /sys/class/drm");
  }

  /** Only power of the moment is worth more than one reading a second. */
  #readPower(): void {
    this.#passPower(readAmdGpus(this.#root).filter(({ powerKind }) => powerKind === "instant"));
  }

  #passPower(gpus: readonly AmdReading[]): void {
    for (const { report, powerKind } of gpus)
      this.#options.onPower?.({
        gpuIndex: report.index,
        watts: report.power_draw_w,
        kind: powerKind,
        atMs: performance.now(),
      });
  }
}
