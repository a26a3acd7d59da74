/**
 * Instantaneous power, ten times a second, for as long as requests are open.
 *
 * A second, narrow nvidia-smi: one with all columns costs 1 ms of CPU a row, this one a tenth. It
 * runs only while somebody needs it, because reading it costs the agent more than everything else
 * that it does when idle. After the last request it runs on for a moment: requests follow each
 * other, and a start costs as much as seconds of reading.
 */
import { performance } from "node:perf_hooks";
import { type Program, runTool, type ToolRun } from "../tool-process.ts";
import { instantColumns, instantPowerIn, type PowerFields } from "./smi-power.ts";

const EVERY_MS = 100;

/** A row shows the power of this long before it arrives. Measured on an H100, as for the means. */
export const ROW_AGE_MS = 50;

export const LINGER_MS = 5_000;

const RETRY_MS_MAX = 60_000;

export type PowerStreamTiming = {
  lingerMs: number;
  /** Time for the first row: a start takes 30 ms, but seconds on a busy box with several GPUs. */
  startMs: number;
  /** A process that printed rows and is stopped, or hangs in the driver, is replaced after this. */
  silenceMs: number;
  /** A process that printed rows for this long is replaced at once when it ends. */
  steadyMs: number;
  /** Wait before another one that ended is replaced. Doubles with each failure. */
  retryMs: number;
};

const STREAM_TIMING: PowerStreamTiming = {
  lingerMs: LINGER_MS,
  startMs: 15_000,
  silenceMs: 2_000,
  steadyMs: 1_000,
  retryMs: 1_000,
};

export type PowerStreamOptions = {
  program: Program;
  fields: ReadonlyMap<number, PowerFields>;
  /** @param atMs  by `performance.now()` */
  onPower(gpuIndex: number, watts: number | null, atMs: number): void;
  timing?: Partial<PowerStreamTiming>;
};

export class PowerStream {
  readonly #options: PowerStreamOptions;
  readonly #timing: PowerStreamTiming;
  readonly #columns: readonly string[] | null;
  #isNeeded = false;
  #run: ToolRun | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  /** Rows of one piece of output, not yet passed on. */
  #rows: { index: number; watts: number | null }[] = [];

  constructor(options: PowerStreamOptions) {
    this.#options = options;
    this.#timing = { ...STREAM_TIMING, ...options.timing };
    this.#columns = instantColumns(options.fields.values());
  }

  /** Starts reading, or stops it a moment later. */
  need(isNeeded: boolean): void {
    if (this.#columns === null || isNeeded === this.#isNeeded) return;
    this.#isNeeded = isNeeded;
    this.#stopTimer();
    // A process starts within milliseconds that the first request must not wait for.
    if (isNeeded) this.#timer = setTimeout(() => this.#start(), 0).unref();
    else this.#timer = setTimeout(() => this.kill(), this.#timing.lingerMs).unref();
  }

  /** Stops at once. */
  kill(): void {
    this.#isNeeded = false;
    this.#stopTimer();
    this.#run?.kill();
  }

  #start(): void {
    if (this.#run !== null || this.#columns === null) return;
    const columns = this.#columns;
    let watchdog = setTimeout(() => run.kill(), this.#timing.startMs).unref();
    let firstRowMs: number | null = null;
    const run = runTool(
      this.#options.program,
      [
        `--query-gpu=${columns.join(",")}`,
        "--format=csv,noheader,nounits",
        "-lms",
        String(EVERY_MS),
      ],
      (line) => {
        const row = instantPowerIn(line, columns, this.#options.fields);
        if (row === null) return false;
        if (firstRowMs !== null) watchdog.refresh();
        else {
          firstRowMs = performance.now();
          clearTimeout(watchdog);
          watchdog = setTimeout(() => run.kill(), this.#timing.silenceMs).unref();
        }
        if (this.#rows.push(row) === 1) queueMicrotask(() => this.#passOn());
        return true;
      },
    );
    this.#run = run;
    void run.ended.then(() => {
      clearTimeout(watchdog);
      this.#run = null;
      if (!this.#isNeeded) return;
      const { steadyMs, retryMs } = this.#timing;
      // A gap of more than 300 ms costs open requests their energy.
      const isSteady = firstRowMs !== null && performance.now() - firstRowMs >= steadyMs;
      if (isSteady) this.#failures = 0;
      const waitMs = isSteady ? 0 : Math.min(RETRY_MS_MAX, retryMs * 2 ** this.#failures++);
      this.#timer = setTimeout(() => this.#start(), waitMs).unref();
    });
  }

  /**
   * Passes on the rows of one piece of output. Several rows of a GPU waited while this process was
   * busy, and are dated back to when they were written.
   */
  #passOn(): void {
    const rows = this.#rows;
    this.#rows = [];
    const nowMs = performance.now() - ROW_AGE_MS;
    const rest = new Map<number, number>();
    for (const { index } of rows) rest.set(index, (rest.get(index) ?? 0) + 1);
    for (const { index, watts } of rows) {
      const later = (rest.get(index) ?? 1) - 1;
      rest.set(index, later);
      this.#options.onPower(index, watts, nowMs - later * EVERY_MS);
    }
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
