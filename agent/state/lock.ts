/**
 * One agent per state folder.
 *
 * A claim is an empty file whose name says which process made it: pid, the kernel's start
 * time of that pid, and the boot. A claim is valid as long as exactly that process lives, so
 * one that was left behind is removed by anybody, at any time, without a race: its name
 * never comes back. Each starter makes its own claim first and looks for others afterwards;
 * of two starters at least one sees the other, and who sees another steps back and tries
 * again after a random pause. Both may step back, never do both go on.
 *
 * Not covered: agents in two containers (or on two machines) that share the folder cannot
 * see each other's processes. Where there is no /proc (macOS) a pid that now belongs to
 * another program counts as alive.
 */
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeStateFolder } from "./folder.ts";

/** Why the folder is not ours; the message is for the operator. */
export class StateLockError extends Error {
  override readonly name = "StateLockError";
  readonly reason: "held" | "not_writable";

  constructor(reason: "held" | "not_writable", message: string) {
    super(message);
    this.reason = reason;
  }
}

export type StateLock = {
  /** Lets the next one in. A second call does nothing. */
  release(): void;
};

/** Two starters that meet part within the first few; a holder is still there after all of them. */
const ATTEMPTS = 6;
/** Longest pause between two attempts, ms. */
const PAUSE_MS_MAX = 50;

const CLAIM = /^agent-(\d+)-(\w+)\.lock$/;

/**
 * Creates the folder (mode 0700) if need be and takes it for this process. Blocks for at most 300 ms.
 * @throws StateLockError naming the process that holds it, or saying that the folder is not writable.
 */
export function acquireStateLock(folder: string): StateLock {
  const name = `agent-${process.pid}-${lifeOf(process.pid) ?? "unknown"}.lock`;
  const path = join(folder, name);
  let holder = process.pid;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) pause(Math.random() * PAUSE_MS_MAX);
    if (!claim(folder, path)) break;
    const other = otherClaims(folder, name)[0];
    if (other === undefined) return { release: () => remove(path) };
    remove(path);
    holder = other;
  }
  const who =
    holder === process.pid ? `this process (pid ${holder})` : `another agent (pid ${holder})`;
  throw new StateLockError(
    "held",
    `the state folder ${folder} is in use by ${who}; stop it, or set another STATE_DIR`,
  );
}

/** @returns false when this process has claimed the folder before. */
function claim(folder: string, path: string): boolean {
  try {
    makeStateFolder(folder);
    writeFileSync(path, "", { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST" && readsAsFolder(folder)) return false;
    throw new StateLockError(
      "not_writable",
      `the state folder ${folder} is not writable (${code}); it keeps finished requests safe`,
    );
  }
}

/** Pids of living processes with a claim; claims of dead ones are removed on the way. */
function otherClaims(folder: string, ownName: string): number[] {
  return readdirSync(folder).flatMap((name) => {
    const [, pid, life] = CLAIM.exec(name) ?? [];
    if (pid === undefined || name === ownName) return [];
    if (lifeOf(Number(pid)) === life) return [Number(pid)];
    remove(join(folder, name));
    return [];
  });
}

/**
 * What tells this life of a pid from another: boot and start time. Null when no such process lives.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (fields 3 and 22)
 */
function lifeOf(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === null) return isAlive(pid) && readText("/proc/self/stat") === null ? "unknown" : null;
  // The name of the program, in parentheses, may hold anything; what follows it does not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  if (state === "Z" || state === "X") return null;
  const boot = readText("/proc/sys/kernel/random/boot_id")?.replace(/\W/g, "").slice(0, 8) ?? "";
  return `${boot}${startTime}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function readsAsFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or the disk is beyond help: a claim of a dead process is worth nothing.
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);
