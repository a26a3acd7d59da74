/**
 * One run of nvidia-smi as a child process: lines out, one ending, a kill that always works
 * as far as the kernel lets it.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { SmiEnd } from "./smi-failure.ts";

export type Program = { file: string; args: readonly string[] };

export type SmiRun = {
  /** Resolves when the process is gone, never before, and never rejects. */
  ended: Promise<SmiEnd>;
  kill(): void;
};

/** Where WSL2 keeps it; that folder is not on every PATH. */
const WSL_PATH = "/usr/lib/wsl/lib/nvidia-smi";

/** How much of the lines that are no rows is kept, UTF-16 code units: enough for any failure text. */
const OUTPUT_CHARS_MAX = 4_096;

/** A line longer than this is no row. UTF-16 code units. */
const LINE_CHARS_MAX = 16_384;

/** What to start for a command, in the order to try. A script runs in this Node: that is how a simulated GPU is plugged in. */
export function programsOf(command: string): readonly Program[] {
  if (/\.(?:mjs|ts)$/.test(command)) return [{ file: process.execPath, args: [command] }];
  const program = { file: command, args: [] };
  return command === "nvidia-smi" ? [program, { file: WSL_PATH, args: [] }] : [program];
}

/**
 * @param onLine  Gets each line of stdout; answers whether it was a row. The others are kept for `SmiEnd.output`.
 *
 * stdout is a pipe to this process on purpose: when the agent dies without a chance to kill
 * (SIGKILL, power), the next row that nvidia-smi writes ends it by SIGPIPE.
 */
export function runSmi(
  program: Program,
  args: readonly string[],
  onLine: (line: string) => boolean,
): SmiRun {
  try {
    return follow(
      spawn(program.file, [...program.args, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
        windowsHide: true,
      }),
      onLine,
    );
  } catch (error) {
    // Most failures to start arrive as an event; out of file descriptors (no pipes) is thrown.
    const spawnError =
      error instanceof Error && "code" in error ? String(error.code) : String(error);
    return {
      ended: Promise.resolve({ output: "", code: null, signal: null, spawnError }),
      kill: () => undefined,
    };
  }
}

function follow(
  child: ChildProcessByStdio<null, Readable, Readable>,
  onLine: (line: string) => boolean,
): SmiRun {
  let output = "";
  let rest = "";
  let spawnError: string | null = null;

  const keep = (text: string) => {
    output = (output + text).slice(-OUTPUT_CHARS_MAX);
  };
  const takeLine = (line: string) => {
    if (!onLine(line)) keep(`${line}\n`);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_CHARS_MAX);
    for (const line of lines) takeLine(line);
  });
  child.stderr.setEncoding("utf8").on("data", keep);

  const ended = new Promise<SmiEnd>((resolve) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      // Also emitted when a kill fails; only a process that never was has no pid.
      if (child.pid === undefined) spawnError = error.code ?? error.message;
    });
    child.on("close", (code, signal) => {
      if (rest !== "") takeLine(rest);
      resolve({ output, code: spawnError === null ? code : null, signal, spawnError });
    });
  });
  const kill = () => {
    child.kill("SIGKILL");
    // A grandchild (the command may be a script) could hold the pipes open and delay "close".
    child.stdout.destroy();
    child.stderr.destroy();
  };
  return { ended, kill };
}
