/**
 * A GPU source over a vendor's tool: one that prints readings until it is killed, or one that
 * prints them once and is run again.
 *
 * Tools are tried in order until one prints a reading. A box without any of them is normal.
 */
import { performance } from "node:perf_hooks";
import type { GpuState } from "../../protocol/inventory.ts";
import type { GpuSample } from "../../protocol/records.ts";
import { GpuReadings, type GpuReport } from "./gpu-readings.ts";
import type { GpuCondition, GpuSource, GpuSourceOptions } from "./gpu-source.ts";
import { ToolLoop } from "./tool-loop.ts";
import { runTool, type ToolRun } from "./tool-process.ts";

export type GpuTool = {
  name: string;
  args: readonly string[];
  /** Seconds until it is run again; null if it prints readings until it is killed. */
  againSeconds: number | null;
  /** Returns a function that returns the readings that a line completes. */
  parser(): (line: string) => GpuReport[];
};

export type ToolTiming = {
  /** A tool that prints nothing for this long hangs, and is killed. */
  silenceMs: number;
  backoffMs: number;
  backoffMaxMs: number;
  stopMs: number;
};

const TIMING: ToolTiming = {
  silenceMs: 13_000,
  backoffMs: 1_000,
  backoffMaxMs: 300_000,
  stopMs: 2_000,
};

export class ToolSource implements GpuSource {
  readonly #tools: readonly GpuTool[];
  readonly #options: GpuSourceOptions;
  readonly #timing: ToolTiming;
  readonly #readings: GpuReadings;
  readonly #loop: ToolLoop;
  #run: ToolRun | null = null;
  #hasRead = false;
  #failures = 0;

  constructor(
    tools: readonly GpuTool[],
    options: GpuSourceOptions,
    timing: Partial<ToolTiming> = {},
  ) {
    this.#tools = tools;
    this.#options = options;
    this.#timing = { ...TIMING, ...timing };
    const slowest = Math.max(
      options.intervalSeconds,
      ...tools.map((tool) => tool.againSeconds ?? 1),
    );
    this.#readings = new GpuReadings({ ...options, intervalSeconds: slowest });
    this.#loop = new ToolLoop({
      readUntilFailure: () => this.#readUntilWait(),
      kill: () => this.#run?.kill(),
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

  /** These tools report means of their own interval; reading them more often helps nothing. */
  needPower(): void {}

  /** These tools list no processes in a form that is read here. */
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

  /**
   * Reads until the tool fails, and reports the failure.
   * @returns the time until the next attempt
   */
  async #readUntilWait(): Promise<number> {
    this.#hasRead = false;
    const reason = await this.#readUntilFailure();
    if (this.#loop.isStopped) return 0;
    this.#failures = this.#hasRead ? 1 : this.#failures + 1;
    const { backoffMs, backoffMaxMs } = this.#timing;
    const waitMs = Math.min(backoffMaxMs, backoffMs * 2 ** (this.#failures - 1));
    this.#readings.fail(reason, { retryInMs: waitMs });
    return waitMs;
  }

  /** Tries each tool. Returns when the one that works has failed, or none works. */
  async #readUntilFailure(): Promise<string> {
    const reasons: string[] = [];
    for (const tool of this.#tools) {
      const reason = await this.#readWith(tool);
      if (this.#hasRead || this.#loop.isStopped) return reason;
      reasons.push(reason);
    }
    return reasons.join("; ");
  }

  async #readWith(tool: GpuTool): Promise<string> {
    for (;;) {
      const parse = tool.parser();
      let rows = 0;
      const watchdog = setTimeout(() => run.kill(), this.#timing.silenceMs).unref();
      const run = runTool({ file: tool.name, args: [] }, tool.args, (line) => {
        const reports = parse(line);
        if (reports.length > 0) watchdog.refresh();
        rows += reports.length;
        for (const report of reports) this.#accept(report, tool);
        return reports.length > 0;
      });
      this.#run = run;
      const { spawnError, output, code, signal: killed } = await run.ended;
      clearTimeout(watchdog);
      this.#run = null;
      if (spawnError === "ENOENT") return `${tool.name} was not found, so this GPU is not read`;
      const isOver = tool.againSeconds === null || rows === 0 || this.#loop.isStopped;
      if (isOver) {
        const line = output.split("\n").find((text) => text.trim() !== "") ?? "";
        return `${tool.name} ended (${spawnError ?? killed ?? code}) ${line}`.trim().slice(0, 200);
      }
      await this.#loop.wait((tool.againSeconds ?? 1) * 1_000);
    }
  }

  #accept(report: GpuReport, { againSeconds }: GpuTool): void {
    this.#hasRead = true;
    // Power at single moments, seconds apart, is no measure of energy.
    if (againSeconds === null)
      this.#options.onPower?.({
        gpuIndex: report.index,
        watts: report.power_draw_w,
        kind: "mean",
        atMs: performance.now(),
      });
    this.#readings.accept(report);
  }
}
