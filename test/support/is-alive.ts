import { existsSync, readFileSync } from "node:fs";

/** Returns true if the process is alive, and not a zombie. */
export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  const stat = `/proc/${pid}/stat`;
  if (existsSync("/proc/self/stat"))
    return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, "utf8"));
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
