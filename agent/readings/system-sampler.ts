/** Samples the machine every ten seconds, and keeps the samples until they are taken. */
import os from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { SAMPLE_EVERY_MS, SYSTEM_SAMPLES_MAX } from "../../protocol/limits.ts";
import type { SystemSample } from "../../protocol/records.ts";
import { type Disk, diskOf } from "./disk.ts";
import { type CpuTimes, cpuTimesOf, sampleOf } from "./system.ts";

/** Time limit for the disk: a network file system may never answer. The sample then has no disk. */
const DISK_MS = 2_000;

export type SystemSamplerOptions = {
  /** Folders that may hold the models; see `disk.ts`. */
  diskFolders: readonly string[];
  /** Returns the number of open requests, and how many of them Ollama has not begun to answer. */
  load: () => { in_flight: number; queued: number };
  /** Time between samples, ms. */
  everyMs?: number;
};

export class SystemSampler {
  readonly #options: SystemSamplerOptions;
  #samples: SystemSample[] = [];
  #latest: SystemSample | null = null;
  #cpuTimes: CpuTimes | null = null;
  /**
   * The read in progress. At most one, because each blocks a thread of Node while its disk hangs.
   */
  #disk: Promise<Disk | null> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SystemSamplerOptions) {
    this.#options = options;
  }

  /** Takes the first sample now. */
  start(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => void this.#sample(), this.#options.everyMs ?? SAMPLE_EVERY_MS);
    void this.#sample();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Returns and removes the samples since the last call, oldest first. */
  take(): SystemSample[] {
    return this.#samples.splice(0);
  }

  /** Returns the newest sample without removing it; null before the first. */
  latest(): SystemSample | null {
    return this.#latest;
  }

  async #sample(): Promise<void> {
    const cpus = os.cpus();
    const before = this.#cpuTimes;
    this.#cpuTimes = cpuTimesOf(cpus);
    const read = {
      nowMs: Date.now(),
      cpus,
      load: os.loadavg(),
      platform: process.platform,
      memoryTotalBytes: os.totalmem(),
      memoryFreeBytes: os.freemem(),
      ...this.#options.load(),
    };
    this.#disk ??= diskOf(this.#options.diskFolders).finally(() => {
      this.#disk = null;
    });
    const disk = await Promise.race([this.#disk, delay(DISK_MS, null, { ref: false })]);
    this.#latest = sampleOf({ ...read, disk }, before);
    this.#samples.push(this.#latest);
    if (this.#samples.length > SYSTEM_SAMPLES_MAX) this.#samples.shift();
  }
}
