/**
 * The processes of a benchmark: started, controlled over IPC, measured, and always ended by pid. A
 * reaper ends them if the benchmark itself is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { startReaper } from "../../local/reaping.ts";

export type Program = {
  name: string;
  command?: string;
  args: string[];
  env?: Record<string, string>;
  cwd?: string;
  hasIpc?: boolean;
  /** The user and group that runs it; the same by default. */
  uid?: number;
};

/** Number of last lines kept, to show when a process fails. */
const TAIL_LINES = 20;
/** `/proc` counts in USER_HZ, which is 100 on all common Linux systems. */
const MS_PER_TICK = 10;

export class Children implements AsyncDisposable {
  readonly #reaper = startReaper();
  readonly #all: Child[] = [];

  start(program: Program): Child {
    const child = new Child(program);
    this.#all.push(child);
    const { pid } = child;
    if (pid !== undefined) {
      this.#reaper.watch(pid);
      // Removed at once, because pids are reused and a suite may end a thousand children.
      void child.ended().then(() => this.#reaper.forget(pid));
    }
    return child;
  }

  /** Returns the last lines of each process, to explain a failure. */
  tails(): string {
    return this.#all.flatMap(({ name, tail }) => tail.map((line) => `${name}: ${line}`)).join("\n");
  }

  /** CPU time of all processes since their start, in ms. */
  cpuMs(): number {
    return this.#all.reduce((sum, child) => sum + child.cpuMs(), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((child) => child.kill()));
    this.#reaper.close();
  }
}

export class Child {
  readonly name: string;
  readonly pid: number | undefined;
  readonly tail: string[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #cpuMs = 0;

  constructor(program: Program) {
    const { name, command = process.execPath, args, env = {}, cwd, hasIpc = false, uid } = program;
    this.name = name;
    const stdio = ["ignore", "pipe", "pipe", ...(hasIpc ? ["ipc" as const] : [])] as (
      | "ignore"
      | "pipe"
      | "ipc"
    )[];
    // A group of its own: Ctrl-C is for the benchmark, which then ends the process.
    this.#process = spawn(command, args, {
      env: { ...process.env, ...env },
      cwd,
      stdio,
      detached: true,
      ...(uid !== undefined && { uid, gid: uid }),
    });
    this.pid = this.#process.pid;
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.tail.push(...text.split("\n").filter((line) => line.trim() !== ""));
        this.tail.splice(0, this.tail.length - TAIL_LINES);
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#process.once("exit", () => resolve());
      this.#process.once("error", (error) => {
        this.tail.push(error.message);
        resolve();
      });
    });
  }

  /**
   * Sends a message and resolves with the child's next one.
   * @throws if the child reports an error, ends, or does not answer within `limitMs`
   */
  async request<Result>(message: object | null, limitMs: number): Promise<Result> {
    const answer = Promise.withResolvers<{ result?: Result; error?: string }>();
    const onMessage = (message: unknown) =>
      answer.resolve(message as { result?: Result; error?: string });
    this.#process.once("message", onMessage);
    const timer = setTimeout(
      () => answer.reject(new Error(`${this.name} sent nothing for ${limitMs} ms`)),
      limitMs,
    );
    void this.#ended.then(() => answer.reject(new Error(`${this.name} ended`)));
    try {
      if (message !== null)
        this.#process.send(message, (error) => error !== null && answer.reject(error));
      const { result, error } = await answer.promise;
      if (error !== undefined || result === undefined)
        throw new Error(`${this.name}: ${error ?? "no result"}`);
      return result;
    } finally {
      clearTimeout(timer);
      this.#process.off("message", onMessage);
    }
  }

  /**
   * User and system time in ms of the process and its threads since its start. After its end, the
   * last value.
   */
  cpuMs(): number {
    this.#cpuMs = statOf(this.pid)?.cpuMs ?? this.#cpuMs;
    return this.#cpuMs;
  }

  /** The same of the process and everything that it started, such as a server's connections. */
  treeCpuMs(): number {
    const stats = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => statOf(Number(pid)));
    const children = Map.groupBy(stats, (stat) => stat?.parent);
    const sum = (pid: number): number =>
      (children.get(pid) ?? []).reduce(
        (ms, child) => ms + (child ? child.cpuMs + sum(child.pid) : 0),
        0,
      );
    return this.cpuMs() + (this.pid === undefined ? 0 : sum(this.pid));
  }

  /** The same to a microsecond, for figures that ticks of 10 ms are too coarse for. */
  preciseCpuMs(): number {
    return this.pid === undefined ? 0 : preciseCpuMsOf(this.pid);
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Resident memory in MB; 0 after the end. */
  residentMb(): number {
    return this.#statusMb("VmRSS");
  }

  /** Begins a new peak. @returns the resident memory in MB */
  beginPeak(): number {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5");
    return this.residentMb();
  }

  /** The largest resident memory in MB since {@link beginPeak}. */
  peakMb(): number {
    return this.#statusMb("VmHWM");
  }

  #statusMb(field: "VmRSS" | "VmHWM"): number {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
      return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) / 1_024;
    } catch {
      return 0;
    }
  }

  /** Open files including sockets; 0 after the end. */
  descriptors(): number {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length;
    } catch {
      return 0;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves to the exit code. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#process.exitCode;
  }

  /**
   * Kills the whole group, because wrangler has a workerd of its own. No process needs an orderly
   * end: its folder is temporary.
   */
  async kill(): Promise<void> {
    this.cpuMs();
    if (this.pid !== undefined && !this.hasEnded) process.kill(-this.pid, "SIGKILL");
    await this.#ended;
  }
}

/** Returns the parent of a process and its CPU time; null after its end. */
function statOf(pid: number | undefined): { pid: number; parent: number; cpuMs: number } | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
    return { pid: Number(pid), parent: Number(fields[1]), cpuMs };
  } catch {
    return null;
  }
}

/** Returns the CPU time of a process, to a microsecond. Without threads that have ended. */
export function preciseCpuMsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => {
    const [ns] = readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ");
    return sum + Number(ns) / 1e6;
  }, 0);
}
