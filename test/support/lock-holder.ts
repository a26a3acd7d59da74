/**
 * Takes the state folder named by its argument when told "go" on stdin, says `held` or the
 * refusal, and keeps it until stdin ends.
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
