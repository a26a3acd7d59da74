/** The programs to try for the command nvidia-smi. Pure. */
import type { Program } from "../tool-process.ts";

/** Its path in WSL2, a folder that is not on every PATH. */
const WSL_PATH = "/usr/lib/wsl/lib/nvidia-smi";

/**
 * Returns the programs to try for a command, in order. A script runs in this Node, which is how a
 * simulated GPU is plugged in.
 */
export function programsOf(command: string): readonly Program[] {
  if (/\.(?:mjs|ts)$/.test(command)) return [{ file: process.execPath, args: [command] }];
  const program = { file: command, args: [] };
  return command === "nvidia-smi" ? [program, { file: WSL_PATH, args: [] }] : [program];
}
