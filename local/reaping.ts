/**
 * The reaper: a small process that ends the others when this one is killed without a chance to
 * do so (SIGKILL, out of memory). It learns of that by the end of its stdin.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export type Reaper = {
  /** Ends this process group when we are gone. */
  watch(group: number): void;
  forget(group: number): void;
  /** Lets it end; nothing is killed that was forgotten. */
  close(): void;
};

export function startReaper(): Reaper {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./reaper.ts", import.meta.url))], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env: {},
  });
  // Without it everything works, but for a SIGKILL of us.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.unref();
  return {
    watch: (group) => child.stdin.write(`+${group}\n`),
    forget: (group) => child.stdin.write(`-${group}\n`),
    close: () => child.stdin.end(),
  };
}
