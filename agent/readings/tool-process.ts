/**
 * One run of a vendor's tool as a child process: passes on its lines, ends once, and can be killed
 * as far as the kernel allows.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";

export type Program = { file: string; args: readonly string[] };

/** How one run ended. */
export type ToolEnd = {
  /** Lines that are not rows, from stdout and stderr. */
  output: string;
  code: number | null;
  signal: string | null;
  /** The system's error code if it could not be started, e.g. `ENOENT`; null if it started. */
  spawnError: string | null;
};

export type ToolRun = {
  /** Resolves once the process is gone. Never rejects. */
  ended: Promise<ToolEnd>;
  kill(): void;
};

/** Kept text of lines that are not rows, UTF-16 code units: enough for any error text. */
const OUTPUT_CHARS_MAX = 4_096;

/** Longest line, UTF-16 code units. A longer one is not a row. */
const LINE_CHARS_MAX = 16_384;

/** Variables that a driver's tool or a script in its place may need. */
const PASSED =
  /^(?:PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|LD_LIBRARY_PATH|BOX_NAME)$|^(?:CUDA|NVIDIA|SIMULATED)_/i;

/**
 * Returns the environment of a tool: no secret of the agent, whatever program it turns out to be.
 */
export const cleanEnvironment = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => PASSED.test(name)));

/**
 * Starts the tool.
 *
 * Its stdout is a pipe to this process on purpose: if the agent is killed and cannot kill its
 * child, the next row that it writes ends it with SIGPIPE.
 *
 * @param onLine  receives each line of stdout and returns true if it is a row; all other lines are
 *                kept in `ToolEnd.output`
 */
export function runTool(
  program: Program,
  args: readonly string[],
  onLine: (line: string) => boolean,
): ToolRun {
  try {
    return follow(
      spawn(program.file, [...program.args, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
        windowsHide: true,
        env: cleanEnvironment(process.env),
      }),
      onLine,
    );
  } catch (error) {
    // Most failures to start arrive as an event. Running out of file descriptors throws.
    const spawnError =
      error instanceof Error && "code" in error ? String(error.code) : String(error);
    return {
      ended: Promise.resolve({ output: "", code: null, signal: null, spawnError }),
      kill: () => undefined,
    };
  }
}

type ToolChild = ChildProcessByStdio<null, Readable, Readable>;

function follow(child: ToolChild, onLine: (line: string) => boolean): ToolRun {
  let output = "";
  let rest = "";
  let spawnError: string | null = null;

  const keep = (text: string) => {
    output = (output + text).slice(-OUTPUT_CHARS_MAX);
  };
  const takeLine = (line: string) => {
    if (!onLine(line)) keep(`${line}\n`);
  };
  const takeText = (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_CHARS_MAX);
    for (const line of lines) takeLine(line);
  };

  const ended = new Promise<ToolEnd>((resolve) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      // Also emitted if a kill fails. Only a process that never started has no pid.
      if (child.pid === undefined) spawnError = error.code ?? error.message;
      if (!hasPipes(child)) resolve({ output, code: null, signal: null, spawnError });
    });
    child.on("close", (code, signal) => {
      if (rest !== "") takeLine(rest);
      resolve({ output, code: spawnError === null ? code : null, signal, spawnError });
    });
  });
  if (!hasPipes(child)) return { ended, kill: () => undefined };
  child.stdout.setEncoding("utf8").on("data", takeText);
  child.stderr.setEncoding("utf8").on("data", keep);
  const kill = () => {
    child.kill("SIGKILL");
    // A grandchild (the command may be a script) could keep the pipes open and delay "close".
    child.stdout.destroy();
    child.stderr.destroy();
  };
  return { ended, kill };
}

/**
 * A process that could not start because no file was left has no pipes; its error event follows.
 */
const hasPipes = (child: Partial<ToolChild>): child is ToolChild => child.stdout !== undefined;
