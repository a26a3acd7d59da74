/**
 * The readings of the GPUs of a box, as its source reports them: the newest of each GPU, samples
 * for the history, and the reason if nothing can be read.
 *
 * A missing reading is better than a stale one. If no row arrives for three intervals, nothing is
 * shown. A GPU that was read before and no longer is, is lost: that is a fault, unlike a box
 * without a GPU.
 */
import type { GpuState, LostGpu } from "../../protocol/inventory.ts";
import type { GpuSample } from "../../protocol/records.ts";
import { HistorySlots } from "./gpu-slots.ts";
import type { GpuCondition, GpuSourceOptions } from "./gpu-source.ts";

/** Samples kept between two calls of `take`: the limit of `GpuState`. The oldest are dropped. */
const SAMPLES_MAX = 1_000;

/**
 * Samples over ten seconds kept between two calls: 100 minutes of one GPU without the edge. With
 * more, the readings after a long outage would not fit in a frame.
 */
const HISTORY_MAX = 600;

/** Intervals without a row after which readings are stale. */
const STALE_INTERVALS = 3;

/** One GPU's row. The time and the box are added here. */
export type GpuReport = Omit<GpuSample, "at" | "box" | keyof typeof SINGLE> & {
  driver_version: string | null;
};

/** The fields of a sample over ten seconds, in a sample of one moment. */
const SINGLE = {
  utilization_max_percent: null,
  memory_used_max_mb: null,
  temperature_max_c: null,
  energy_j: null,
} as const;

export class GpuReadings {
  readonly #options: GpuSourceOptions;
  #available = false;
  /** Null while GPUs are available, and before the first result. */
  #error: string | null = null;
  #driverVersion: string | null = null;
  #samples: GpuSample[] = [];
  #rounds = 0;
  #round = new Map<number, GpuSample>();
  #lastRound = new Map<number, GpuSample>();
  /** Every GPU that has ever reported a figure. */
  readonly #known = new Map<number, LostGpu>();
  readonly #lost = new Set<number>();
  readonly #slots = new Map<number, HistorySlots>();
  #history: GpuSample[] = [];
  #isFault = false;
  #staleTimer: NodeJS.Timeout | null = null;

  constructor(options: GpuSourceOptions) {
    this.#options = options;
  }

  accept({ driver_version, ...row }: GpuReport): void {
    const { index, uuid, name } = row;
    const isUnreadable = figuresOf(row).every((figure) => figure === null);
    if (isUnreadable && this.#known.has(index)) {
      this.#lose(index);
      return;
    }
    this.#expectNext();
    const { now, box, keepEvery = 1, log } = this.#options;
    const sample: GpuSample = { at: new Date(now()).toISOString(), box, ...row, ...SINGLE };
    this.#remember(sample);
    // A second row of a GPU begins the next round. A silent GPU leaves `latest` one round later.
    if (this.#round.has(index)) this.#nextRound();
    this.#round.set(index, sample);
    if (!isUnreadable) this.#known.set(index, { index, uuid, name });
    this.#lost.delete(index);
    if (this.#rounds % keepEvery === 0) this.#samples.push(sample);
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#driverVersion = driver_version;
    this.#isFault = false;
    if (this.#available) return;
    this.#available = true;
    this.#error = null;
    log("info", "gpu_available", { name, driver_version });
    this.#options.onChange?.();
  }

  /**
   * The source has failed.
   * @param isFault    the box has a GPU that should be readable
   * @param isGivenUp  the box has given its GPUs away on purpose: none of them is lost
   */
  fail(
    reason: string,
    { retryInMs = null, isFault = false, isGivenUp = false }: GpuFault = {},
  ): void {
    this.#stopTimer();
    if (isGivenUp) this.#forget();
    if (isFault || this.#known.size > 0) {
      this.#isFault = true;
      for (const index of this.#known.keys()) this.#lost.add(index);
    }
    this.#hide(reason, retryInMs);
  }

  /** Stops the timer that hides stale readings. */
  stop(): void {
    this.#stopTimer();
  }

  take(): GpuState {
    const [samples, history] = [this.#samples, this.#history];
    this.#samples = [];
    this.#history = [];
    return { ...this.state(), samples, history };
  }

  state(): GpuCondition {
    return {
      available: this.#available,
      error: this.#error,
      driver_version: this.#driverVersion,
      failed: this.#isFault || this.#lost.size > 0,
      lost: [...this.#lost].sort((a, b) => a - b).flatMap((index) => this.#known.get(index) ?? []),
    };
  }

  latest(): GpuSample[] {
    return [...new Map([...this.#lastRound, ...this.#round]).values()]
      .filter(({ index }) => !this.#lost.has(index))
      .sort((a, b) => a.index - b.index);
  }

  #remember(sample: GpuSample): void {
    const slots = this.#slots.get(sample.index) ?? new HistorySlots();
    this.#slots.set(sample.index, slots);
    const summary = slots.add(sample, this.#options.joulesOf?.(sample.index) ?? null);
    if (summary !== null) this.#history.push(summary);
    if (this.#history.length > HISTORY_MAX) this.#history.shift();
  }

  #nextRound(): void {
    for (const index of this.#lastRound.keys()) if (!this.#round.has(index)) this.#lose(index);
    this.#lastRound = this.#round;
    this.#round = new Map();
    this.#rounds++;
  }

  #lose(index: number): void {
    if (this.#lost.has(index)) return;
    this.#lost.add(index);
    this.#options.log("warn", "gpu_lost", { index, name: this.#known.get(index)?.name });
    this.#options.onChange?.();
  }

  #expectNext(): void {
    const staleMs = STALE_INTERVALS * 1_000 * this.#options.intervalSeconds;
    if (this.#staleTimer !== null) {
      this.#staleTimer.refresh();
      return;
    }
    this.#staleTimer = setTimeout(() => {
      this.#staleTimer = null;
      this.#hide(`no GPU reading for ${staleMs / 1_000} s`, null);
    }, staleMs).unref();
  }

  #forget(): void {
    this.#known.clear();
    this.#lost.clear();
    this.#isFault = false;
  }

  #hide(reason: string, retryInMs: number | null): void {
    // A box without a GPU is normal; a GPU that disappears is not.
    const level = this.#available ? "warn" : "info";
    const isNews = reason !== this.#error;
    if (isNews) this.#options.log(level, "gpu_unavailable", { reason, retry_in_ms: retryInMs });
    this.#available = false;
    this.#error = reason;
    this.#round.clear();
    this.#lastRound.clear();
    if (isNews) this.#options.onChange?.();
  }

  #stopTimer(): void {
    if (this.#staleTimer !== null) clearTimeout(this.#staleTimer);
    this.#staleTimer = null;
  }
}

export type GpuFault = { retryInMs?: number | null; isFault?: boolean; isGivenUp?: boolean };

/** The row of a lost GPU has an error text instead of each figure. */
const figuresOf = (row: Omit<GpuReport, "driver_version">): (number | null)[] => [
  row.utilization_percent,
  row.memory_used_mb,
  row.temperature_c,
  row.power_draw_w,
  row.power_limit_w,
  row.sm_clock_mhz,
];
