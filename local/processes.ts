/**
 * Child processes: each has a process group of its own, is read line by line, and ends without
 * leaving processes behind.
 *
 * Each has its own group because Ctrl-C in a terminal signals the whole foreground group. The
 * children would get a second signal from us, and an agent that is signalled twice stops without
 * finishing its work.
 */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reaper } from "./reaping.ts";

/** The exit code of a child, or the signal that ended it. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null };

export type ChildOptions = {
  /** The name to use in messages. */
  name: string;
  /** The Node that runs this program, by default. */
  program?: string;
  args: readonly string[];
  env: Record<string, string | undefined>;
  cwd?: string;
  /** Receives each line of stdout and stderr. */
  onLine?: (line: string) => void;
  /** Sends SIGTERM to the whole group instead of only the first process. */
  endsAsGroup?: boolean;
};

/** Number of last lines kept, to show when a child fails. */
const TAIL_LINES = 30;
/** Time that the kernel gets to clear a group that was killed. */
const CLEARED_MS = 500;

export class Child {
  readonly name: string;
  readonly pid: number | undefined;
  /** Resolves when the process has ended; never rejects. */
  readonly ended: Promise<Ending>;
  readonly #reaper: Reaper;
  readonly #endsAsGroup: boolean;
  readonly #tail: string[] = [];
  #ending: Ending | null = null;

  constructor(options: ChildOptions, reaper: Reaper) {
    const {
      name,
      program = process.execPath,
      args,
      env,
      cwd,
      onLine,
      endsAsGroup = false,
    } = options;
    this.name = name;
    this.#reaper = reaper;
    this.#endsAsGroup = endsAsGroup;
    const child = spawn(program, args, {
      env,
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.pid = child.pid;
    if (child.pid !== undefined) reaper.watch(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      readLines(stream, (line) => {
        this.#tail.push(line);
        if (this.#tail.length > TAIL_LINES) this.#tail.shift();
        onLine?.(line);
      });
    }
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#ending ??= { code, signal };
        resolve(this.#ending);
      };
      child.on("error", (error) => {
        this.#tail.push(error.message);
        end(null, null);
      });
      child.on("exit", end);
    });
  }

  get hasEnded(): boolean {
    return this.#ending !== null;
  }

  /** Returns the last lines of the output. */
  tail(): readonly string[] {
    return this.#tail;
  }

  /** Signals the first process only. Does nothing if it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined && !this.hasEnded) send(this.pid, signal);
  }

  /** Sends SIGTERM, kills the child after `graceMs`, and resolves when its whole group is gone. */
  async stop(graceMs: number): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    if (!this.hasEnded) {
      const target = this.#endsAsGroup ? -pid : pid;
      send(target, "SIGTERM");
      send(target, "SIGCONT"); // a stopped process handles no other signal
      await Promise.race([this.ended, sleep(graceMs, undefined, { ref: false })]);
    }
    if (isAlive(-pid)) send(-pid, "SIGKILL");
    for (let waited = 0; isAlive(-pid) && waited < CLEARED_MS; waited += 20) await sleep(20);
    this.#reaper.forget(pid);
  }

  /** Kills the whole group at once, without waiting. */
  kill(): void {
    if (this.pid !== undefined) send(-this.pid, "SIGKILL");
  }
}

/** Returns whether the process or group existed. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

const isAlive = (pid: number): boolean => send(pid, 0);

function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") onLine(line.trimEnd());
  });
  stream.on("end", () => rest.trim() !== "" && onLine(rest));
}
