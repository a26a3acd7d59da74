/**
 * A lock that allows one agent per state folder.
 *
 * A claim is an empty file whose name identifies the process that created it: its pid, the kernel's
 * start time of that pid, and the boot. A claim is valid while exactly that process is alive. A
 * stale claim can be removed by anyone at any time without a race, because its name is never used
 * again. A starting agent first creates its own claim and then lists the others. If two start at
 * once, at least one sees the other; it removes its claim and retries after a random pause. Both
 * may back off, but never do both succeed.
 *
 * Not covered: agents in two containers or on two machines that share the folder cannot see each
 * other's processes. Without /proc (macOS) a pid that was reused by another program counts as
 * alive.
 */
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeStateFolder } from "./folder.ts";

/** The state folder cannot be locked. The message is written for the operator. */
export class StateLockError extends Error {
  override readonly name = "StateLockError";
  readonly reason: "held" | "not_writable";
  /** The other process that holds the folder; null if it is this one, or none. */
  readonly holder: number | null;

  constructor(reason: "held" | "not_writable", message: string, holder: number | null = null) {
    super(message);
    this.reason = reason;
    this.holder = holder;
  }
}

export type StateLock = {
  /** Releases the folder. A second call does nothing. */
  release(): void;
};

/**
 * Two agents that start at once separate within the first few; a real holder outlasts all of them.
 */
const ATTEMPTS = 6;
/** Longest pause between two attempts, ms. */
const PAUSE_MS_MAX = 50;

const CLAIM = /^agent-(\d+)-(\w+)\.lock$/;

/**
 * Creates the folder (mode 0700) if it is missing and locks it for this process. Blocks for at most
 * 300 ms.
 * @throws {StateLockError} with the process that holds the folder, or if it is not writable
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
  const owner =
    holder === process.pid ? `this process (pid ${holder})` : `another agent (pid ${holder})`;
  throw new StateLockError(
    "held",
    `The state folder ${folder} is in use by ${owner}. Stop it, or set STATE_DIR to another folder.`,
    holder === process.pid ? null : holder,
  );
}

/** Returns the pid of the living agent that holds the folder; null without one. Changes nothing. */
export function holderOf(folder: string): number | null {
  try {
    return claimsIn(folder).find(({ isAlive }) => isAlive)?.pid ?? null;
  } catch {
    return null; // no folder, or not readable
  }
}

/** Returns false if this process has already claimed the folder. */
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
      `The state folder ${folder} is not writable (${code}). The agent keeps finished requests there: ` +
        "set STATE_DIR to a folder that it can write to.",
    );
  }
}

/** Returns the pids of living processes with a claim, and removes the claims of dead ones. */
function otherClaims(folder: string, ownName: string): number[] {
  return claimsIn(folder).flatMap(({ name, pid, isAlive }) => {
    if (name === ownName) return [];
    if (isAlive) return [pid];
    remove(join(folder, name));
    return [];
  });
}

function claimsIn(folder: string): { name: string; pid: number; isAlive: boolean }[] {
  return readdirSync(folder).flatMap((name) => {
    const [, pid, life] = CLAIM.exec(name) ?? [];
    if (pid === undefined) return [];
    return [{ name, pid: Number(pid), isAlive: lifeOf(Number(pid)) === life }];
  });
}

/**
 * Returns the boot and start time of a process, which distinguish it from later processes with the
 * same pid. Null if no such process is alive.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (fields 3 and 22)
 */
function lifeOf(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === null) return isAlive(pid) && readText("/proc/self/stat") === null ? "unknown" : null;
  // The program's name, in parentheses, may contain any character; the fields after it do not.
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
    // Already removed, or the disk fails. A leftover claim of a dead process does no harm.
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);
