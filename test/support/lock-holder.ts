/**
 * A program that locks the state folder given as its argument at the first input on stdin, prints
 * `held` or the refusal, and keeps the lock until stdin ends.
 */
import { acquireStateLock } from "../../agent/state/lock.ts";

process.stdout.write("ready\n");
process.stdin.once("data", () => {
  try {
    acquireStateLock(process.argv[2] ?? "");
    process.stdout.write("held\n");
  } catch (error) {
    process.stdout.write(`refused: ${error instanceof Error ? error.message : error}\n`);
  }
});
process.stdin.once("end", () => process.exit());
