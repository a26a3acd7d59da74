/**
 * The GPU source for NVIDIA: keeps one nvidia-smi running in loop mode and turns its rows into
 * samples.
 *
 * Uses loop mode because each start of nvidia-smi initialises the driver. That takes seconds on a
 * box with several GPUs, and without persistence mode it wakes the GPU and returns a wrong first
 * reading. In loop mode nvidia-smi may fall silent instead of failing, so the age of the last row
 * is watched.
 *
 * Never runs two at once: the next one starts after the last one is gone. An agent that exits kills
 * its child; if the agent is killed, the child's next write ends it (SIGPIPE). A process that hangs
 * inside the driver survives both SIGKILL and SIGPIPE until the driver returns. Until then no other
 * is started, and the state reports it. On Windows an orphan may survive a killed agent.
 */
import { performance } from "node:perf_hooks";
import type { GpuState } from "../../../protocol/inventory.ts";
import type { GpuSample } from "../../../protocol/records.ts";
import { GpuReadings, type GpuReport } from "../gpu-readings.ts";
import type { GpuCondition, GpuProcess, GpuSource, GpuSourceOptions } from "../gpu-source.ts";
import { ToolLoop } from "../tool-loop.ts";
import { type Program, runTool, type ToolEnd, type ToolRun } from "../tool-process.ts";
import { COMPUTE_APPS_QUERY, parseComputeApp } from "./compute-apps.ts";
import { PowerStream, ROW_AGE_MS } from "./power-stream.ts";
import { hasNvidiaGpu, isPassedThrough } from "./presence.ts";
import { type GpuFailure, gpuFailure, refusedField } from "./smi-failure.ts";
import { POWER_COLUMNS, type PowerFields, powerFieldsOf } from "./smi-power.ts";
import { programsOf } from "./smi-programs.ts";
import { GPU_COLUMNS, parseGpuRow, smiCellsOf, withoutRefused } from "./smi-rows.ts";
import { type NvidiaSmiTiming, TIMING } from "./smi-timing.ts";

export type NvidiaSmiOptions = GpuSourceOptions & {
  /**
   * Path of nvidia-smi, or of a `.mjs` or `.ts` script that behaves like it. Default: `nvidia-smi`,
   * from the PATH.
   */
  command?: string;
  timing?: Partial<NvidiaSmiTiming>;
};

/** A program that runs, the columns that its driver knows, and how each GPU reports its power. */
type SmiQuery = {
  program: Program;
  columns: readonly string[];
  power: ReadonlyMap<number, PowerFields>;
};

const PASSED_THROUGH = "the NVIDIA GPU of this machine is passed through to a virtual machine";

export class NvidiaSmiSource implements GpuSource {
  readonly #options: NvidiaSmiOptions;
  readonly #timing: NvidiaSmiTiming;
  readonly #loop: ToolLoop;
  #run: ToolRun | null = null;
  /**
   * The query that the driver accepts; null before the first probe, and after it stopped working.
   */
  #query: SmiQuery | null = null;
  #power: PowerStream | null = null;
  #isPowerNeeded = false;
  readonly #readings: GpuReadings;
  #failures = 0;

  /** @throws {RangeError} for an interval that nvidia-smi does not support */
  constructor(options: NvidiaSmiOptions) {
    if (!Number.isInteger(options.intervalSeconds) || options.intervalSeconds < 1) {
      throw new RangeError(
        `The GPU interval must be a whole number of seconds, at least 1; got ${options.intervalSeconds}.`,
      );
    }
    this.#options = options;
    this.#readings = new GpuReadings(options);
    this.#timing = { ...TIMING, ...options.timing };
    this.#loop = new ToolLoop({
      readUntilFailure: () => this.#readUntilWait(),
      kill: () => {
        this.#run?.kill();
        this.#power?.kill();
      },
      stopMs: this.#timing.stopMs,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    this.#readings.stop();
    return this.#loop.stop();
  }

  async processes(): Promise<GpuProcess[] | null> {
    if (this.#query === null) return null;
    const processes: GpuProcess[] = [];
    const run = runTool(this.#query.program, COMPUTE_APPS_QUERY, (line) => {
      const app = parseComputeApp(line);
      if (app !== null) processes.push(app);
      return app !== null;
    });
    const limit = setTimeout(() => run.kill(), this.#timing.probeMs).unref();
    const { code } = await run.ended;
    clearTimeout(limit);
    return code === 0 ? processes : null;
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

  needPower(isNeeded: boolean): void {
    this.#isPowerNeeded = isNeeded;
    this.#power?.need(isNeeded);
  }

  /**
   * Reads until nvidia-smi fails, and reports the failure.
   * @returns the time until the next attempt
   */
  async #readUntilWait(): Promise<number> {
    const startedMs = performance.now();
    const failure = await this.#readUntilFailure();
    if (this.#loop.isStopped) return 0;
    const wasSteady =
      this.#query !== null && performance.now() - startedMs >= this.#timing.steadyMs;
    this.#failures = wasSteady ? 1 : this.#failures + 1;
    const { backoffMs, backoffMaxMs, backoffPermanentMaxMs } = this.#timing;
    const waitMs = Math.min(
      backoffMs * 2 ** (this.#failures - 1),
      failure.permanent ? backoffPermanentMaxMs : backoffMaxMs,
    );
    const { isFault } = failure;
    const isGivenUp = isPassedThrough();
    const reason = isGivenUp ? PASSED_THROUGH : failure.reason;
    this.#readings.fail(reason, { retryInMs: waitMs, isFault, isGivenUp });
    return waitMs;
  }

  async #readUntilFailure(): Promise<GpuFailure> {
    if (this.#query === null) {
      const probed = await this.#probe();
      if ("reason" in probed) return probed;
      this.#query = probed;
      this.#power?.kill();
      this.#power = new PowerStream({
        program: probed.program,
        fields: probed.power,
        onPower: (gpuIndex, watts, atMs) =>
          this.#options.onPower?.({ gpuIndex, watts, atMs, kind: "instant" }),
      });
      this.#power.need(this.#isPowerNeeded);
    }
    const { program, columns } = this.#query;
    const seconds = this.#options.intervalSeconds;
    const silenceMs = 3_000 * seconds + this.#timing.silenceSlackMs;
    const limit = {
      ms: silenceMs,
      reason: `nvidia-smi printed no reading for ${silenceMs / 1_000} s`,
    };
    const { end, late } = await this.#watch(
      program,
      [...queryOf(columns), "-l", String(seconds)],
      limit,
      (line, watchdog) => {
        const row = parseGpuRow(line, columns);
        if (row === null) return false;
        watchdog.refresh();
        this.#accept(row);
        return true;
      },
    );
    // The driver was replaced while it ran: probe it again.
    if (refusedField(end.output) !== null || end.spawnError !== null) this.#query = null;
    const failure = gpuFailure(end, hasNvidiaGpu());
    if (!late) return failure;
    return failure.permanent ? failure : { reason: limit.reason, permanent: false, isFault: false };
  }

  /** Finds a program that runs and the columns that its driver knows. */
  async #probe(): Promise<SmiQuery | GpuFailure> {
    const limit = {
      ms: this.#timing.probeMs,
      reason: `nvidia-smi did not answer within ${this.#timing.probeMs / 1_000} s`,
    };
    let failure: GpuFailure = { reason: limit.reason, permanent: false, isFault: false };
    for (const program of programsOf(this.#options.command ?? "nvidia-smi")) {
      let columns: readonly string[] | null = [...GPU_COLUMNS, ...POWER_COLUMNS];
      while (columns !== null) {
        const queried: readonly string[] = columns;
        const power = new Map<number, PowerFields>();
        const { end, late } = await this.#watch(program, queryOf(queried), limit, (line) => {
          // The first reading of an idle driver is often wrong (100 % busy), so only its form is
          // used.
          const cells = smiCellsOf(line, queried);
          if (cells !== null) power.set(Number(cells.get("index")), powerFieldsOf(cells));
          return cells !== null;
        });
        if (this.#loop.isStopped || late)
          return { reason: limit.reason, permanent: false, isFault: false };
        if (end.code === 0 && power.size > 0)
          return {
            program,
            columns: queried.filter((column) => !POWER_COLUMNS.includes(column)),
            power,
          };
        failure = gpuFailure(end, hasNvidiaGpu());
        if (end.spawnError === "ENOENT") break;
        // Each round drops or renames a column, so the loop ends.
        const refused = refusedField(end.output);
        columns = refused === null ? null : withoutRefused(queried, refused);
        if (columns === null) return failure;
      }
    }
    return failure;
  }

  /**
   * Runs nvidia-smi under a watchdog that kills it `limit.ms` after the start or the last refresh.
   */
  async #watch(
    program: Program,
    args: readonly string[],
    limit: { ms: number; reason: string },
    onLine: (line: string, watchdog: NodeJS.Timeout) => boolean,
  ): Promise<{ end: ToolEnd; late: boolean }> {
    let late = false;
    const watchdog = setTimeout(() => {
      late = true;
      // Reported now: a process that hangs in the driver may never end.
      this.#readings.fail(limit.reason);
      run.kill();
    }, limit.ms);
    const run = runTool(program, args, (line) => onLine(line, watchdog));
    this.#run = run;
    const end = await run.ended;
    clearTimeout(watchdog);
    this.#run = null;
    return { end, late };
  }

  #accept(row: GpuReport): void {
    this.#options.onPower?.({
      gpuIndex: row.index,
      watts: row.power_draw_w,
      kind: this.#query?.power.get(row.index)?.drawKind ?? "mean",
      atMs: performance.now() - ROW_AGE_MS,
    });
    this.#readings.accept(row);
  }
}

const queryOf = (columns: readonly string[]): string[] => [
  `--query-gpu=${columns.join(",")}`,
  "--format=csv,noheader,nounits",
];
