/**
 * Waits for the end of stdin, which means that the program that started it has ended, and then
 * kills the process groups listed on stdin: `+<group>` adds one and `-<group>` removes one. See
 * reaping.ts.
 */
import { createInterface } from "node:readline";

const groups = new Set<number>();

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const group = Number(line.slice(1));
    if (!Number.isSafeInteger(group) || group <= 1) return;
    if (line.startsWith("+")) groups.add(group);
    else groups.delete(group);
  })
  .on("close", () => {
    for (const group of groups) {
      try {
        process.kill(-group, "SIGKILL");
      } catch {
        // It has already ended.
      }
    }
  });
