/** Runs the programs that an owner runs for the stores: migrate, check and erase. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../../local/edge.ts";

/**
 * Runs a program in `local/`. The test's process goes on meanwhile: it must notice connections that a
 * server closes.
 */
export async function runProgram(
  program: string,
  settings: Record<string, string>,
): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, [join(ROOT, "local", program)], {
    env: { PATH: process.env.PATH, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { status: child.exitCode, output: stdout + stderr };
}
