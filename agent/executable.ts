/**
 * The agent as a single executable: Node with `agent.mjs` inside, for a box without Node.
 *
 * It also runs the files of updates, as `node` would: `<executable> /path/to/agent.mjs --listen …`. So
 * updates need no other executable, and an update that fails leaves the one inside.
 */
import { readFileSync } from "node:fs";
import Module from "node:module";
import { isAbsolute } from "node:path";

/** The name of the agent's file among the assets of the executable. */
const EMBEDDED = "agent.mjs";

/** Null under a Node without single executables. */
const sea = process.getBuiltinModule?.("node:sea") ?? null;

/** Returns true in an executable that runs the agent inside, and not another file. */
export const runsEmbedded = (): boolean =>
  sea?.isSea() === true && otherFileOf(process.argv.slice(1)) === null;

/** Returns the file that the arguments of an executable name instead of the agent inside; null without one. */
export const otherFileOf = ([file]: readonly string[]): string | null =>
  file !== undefined && isAbsolute(file) && file.endsWith(".mjs") ? file : null;

/** Runs the other file instead of the agent inside, if this is an executable with one. Returns false if not. */
export function ranOtherFile(): boolean {
  const file = otherFileOf(process.argv.slice(2));
  if (!runsEmbedded() || file === null) return false;
  process.argv.splice(1, 1);
  Module.runMain();
  return true;
}

/** Returns the content of the agent that runs. */
export const ownContent = (): Uint8Array =>
  sea !== null && runsEmbedded()
    ? new Uint8Array(sea.getRawAsset(EMBEDDED))
    : readFileSync(process.argv[1] ?? "");

/** Returns the installed file: the executable, or the file that Node was started with. */
export const installedFile = (): string =>
  runsEmbedded() ? process.execPath : (process.argv[1] ?? "");

/** Returns the arguments with which this program starts a file of the agent. @param path  null: the installed one */
export function argumentsOf(path: string | null, args: readonly string[]): string[] {
  const file = path ?? (runsEmbedded() ? null : installedFile());
  // An executable has no options of Node.
  const options = sea?.isSea() === true ? [] : process.execArgv;
  return [...options, ...(file === null ? [] : [file]), ...args];
}
