/**
 * Waits for the end of stdin, which is the end of the program that started it, and then kills the
 * process groups it was told of: lines `+<group>` and `-<group>`. See reaping.ts.
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
        // ended by itself
      }
    }
  });
