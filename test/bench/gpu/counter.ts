/** The energy counter of the GPUs, which the driver keeps and the product does not read. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A row of the counter of one GPU: unix ms and joules. */
export type Counted = { atMs: number; joules: number };

/** When Ollama had a request, unix ms. */
export type Window = { fromMs: number; toMs: number };

/** There is nothing to compare. The message is for people. */
export class GpuBenchError extends Error {
  override readonly name = "GpuBenchError";
}

export class EnergyCounter implements Disposable {
  readonly #process: ChildProcess;
  readonly #rows = new Map<number, Counted[]>();
  #failure = "";

  private constructor() {
    const script = fileURLToPath(new URL("counter.py", import.meta.url));
    this.#process = spawn("python3", [script], { stdio: ["pipe", "pipe", "pipe"] });
    const { stdout, stderr } = this.#process;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#add(line));
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#failure += text;
    });
  }

  /** Resolves with the first row. @throws {GpuBenchError} if the driver has no counter */
  static async start(): Promise<EnergyCounter> {
    const counter = new EnergyCounter();
    const child = counter.#process;
    await Promise.race([
      child.stdout && once(child.stdout, "data"),
      once(child, "close").catch((error: Error) => {
        throw new GpuBenchError(`python3 cannot be started: ${error.message}`);
      }),
    ]);
    if (child.exitCode !== null) throw new GpuBenchError(counter.#failure.trim());
    return counter;
  }

  joulesIn({ fromMs, toMs }: Window): number {
    const all = [...this.#rows.values()];
    return all.reduce((sum, rows) => sum + countedAt(rows, toMs) - countedAt(rows, fromMs), 0);
  }

  /** Returns the share of each request, as {@link sharesOf} divides each counter. */
  sharesOf(windows: readonly Window[]): number[] {
    const parts = [...this.#rows.values()].map((rows) => sharesOf(rows, windows));
    return windows.map((_, index) => parts.reduce((sum, part) => sum + (part[index] ?? 0), 0));
  }

  [Symbol.dispose](): void {
    this.#process.stdin?.end();
  }

  #add(line: string): void {
    const [atMs = Number.NaN, gpu = Number.NaN, millijoules = Number.NaN] = line
      .split(",")
      .map(Number);
    const rows = this.#rows.get(gpu) ?? [];
    this.#rows.set(gpu, rows);
    rows.push({ atMs, joules: millijoules / 1_000 });
  }
}

/** Returns the counter at a time, linear between its rows. It has a row every 20 to 100 ms. */
function countedAt(rows: readonly Counted[], atMs: number): number {
  const next = rows.findIndex((row) => row.atMs >= atMs);
  const [before, after] = [rows[next - 1], rows[next]];
  if (before === undefined || after === undefined)
    throw new Error("the counter has no rows around this time");
  const part = (atMs - before.atMs) / (after.atMs - before.atMs);
  return before.joules + part * (after.joules - before.joules);
}

/** Divides what a counter counted while requests were open equally among those open at each moment. */
export function sharesOf(rows: readonly Counted[], windows: readonly Window[]): number[] {
  const edges = [...new Set(windows.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))].sort(
    (a, b) => a - b,
  );
  const shares = windows.map(() => 0);
  for (const [index, toMs] of edges.entries()) {
    const fromMs = edges[index - 1];
    if (fromMs === undefined) continue;
    const open = [...windows.keys()].filter((n) => {
      const window = windows[n];
      return window !== undefined && window.fromMs <= fromMs && window.toMs >= toMs;
    });
    if (open.length === 0) continue;
    const each = (countedAt(rows, toMs) - countedAt(rows, fromMs)) / open.length;
    for (const n of open) shares[n] = (shares[n] ?? 0) + each;
  }
  return shares;
}
