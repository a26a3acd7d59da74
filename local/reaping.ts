/**
 * The reaper: a small process that kills the others when this one dies without cleaning up
 * (SIGKILL, out of memory). It notices because its stdin ends.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export type Reaper = {
  /** Adds a process group to those that are killed when this process dies. */
  watch(group: number): void;
  forget(group: number): void;
  /** Closes the reaper, which kills the groups that were not removed with `forget`. */
  close(): void;
};

export function startReaper(): Reaper {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./reaper.ts", import.meta.url))], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env: {},
  });
  // If the reaper is missing, only a SIGKILL of this process leaves children behind.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.unref();
  return {
    watch: (group) => child.stdin.write(`+${group}\n`),
    forget: (group) => child.stdin.write(`-${group}\n`),
    close: () => child.stdin.end(),
  };
}
