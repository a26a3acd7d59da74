/**
 * Processes of updated agents: the supervisor's end, which starts them, and their own, which reports to it.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { argumentsOf, installedFile } from "../executable.ts";
import type { AgentChild, AgentEnding } from "./supervisor.ts";

/** In the environment of a supervised agent: the pid of its supervisor, and the mark of the installed file. */
const SUPERVISOR = "OLLAMA_EDGE_SUPERVISOR";

/** Longest run of `--version`. */
const PROBE_MS = 20_000;

/** Returns the mark of the installed file if this process is supervised, otherwise null. */
export function supervisedMark(): string | null {
  const [pid, mark] = process.env[SUPERVISOR]?.split(" ") ?? [];
  return pid === String(process.ppid) && process.send !== undefined ? (mark ?? null) : null;
}

/** Identifies the installed file: another one has another size or time. */
export function installedMark(): string {
  const { size, mtimeMs } = statSync(installedFile());
  return `${size}-${Math.floor(mtimeMs)}`;
}

/** Starts an agent. @param path  null: the installed file */
export function startAgentProcess(
  path: string | null,
  args: readonly string[],
  mark: string,
): AgentChild {
  const child = spawn(process.execPath, argumentsOf(path, args), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, [SUPERVISOR]: `${process.pid} ${mark}` },
  });
  return {
    pid: child.pid,
    up: new Promise((resolve) => {
      child.on("message", (message) => message === "up" && resolve());
    }),
    ended: endOf(child),
    signal: (signal) => void child.kill(signal),
    report: () => void (child.connected && child.send("report", () => {})),
  };
}

const endOf = (child: ChildProcess): Promise<AgentEnding> =>
  new Promise((resolve) => {
    child.on("error", () => child.pid === undefined && resolve({ code: 1, signal: null }));
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });

/** Returns the version that a file of the agent prints. @throws if it does not run */
export function printedVersion(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = argumentsOf(path, ["--version"]);
    execFile(process.execPath, args, { timeout: PROBE_MS }, (error, stdout, stderr) => {
      const reason = stderr
        .trim()
        .split("\n")
        .findLast((line) => /Error/.test(line));
      if (error !== null) reject(new Error(reason ?? "it does not print its version"));
      else resolve(stdout.trim());
    });
  });
}

/** Connects a supervised agent to its supervisor: reports that it is up, and when the supervisor is gone. */
export function reportToSupervisor(on: { report(): void; orphaned(): void }): { up(): void } {
  process.on("message", (message) => message === "report" && on.report());
  process.on("disconnect", on.orphaned);
  return { up: () => void (process.connected && process.send?.("up")) };
}

/** Kills a supervised agent whose supervisor is gone. It ends by itself, unless it hangs. Needs /proc. */
export function killOrphan(pid: number): void {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const supervisor = environment.find((entry) => entry.startsWith(`${SUPERVISOR}=`));
    const isOrphan = supervisor !== undefined && !supervisor.startsWith(`${SUPERVISOR}=${parent} `);
    if (isOrphan) process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
