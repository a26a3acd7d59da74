/**
 * The digest of the agent's own file, for an edge that compares it with the file it serves.
 *
 * Other forms of the agent are built apart from the Worker, so their content does not show their
 * version: the single executable, the npm package and the sources have no such digest.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { runsEmbedded } from "../executable.ts";
import { digestOf } from "./update-folder.ts";

/** Returns the digest of the file that runs; null if no edge serves such a file, or it cannot be read. */
export const comparableDigest = (): string | null =>
  runsEmbedded() ? null : digestOfServed(process.argv[1] ?? "");

/** Returns the digest of a file that an edge may have served. */
export function digestOfServed(started: string): string | null {
  try {
    const path = realpathSync(started); // npm starts the package by a link
    return path.endsWith(".mjs") && !isOfPackage(path) ? digestOf(readFileSync(path)) : null;
  } catch {
    return null;
  }
}

/** The package has the agent in the folder `agent`, beside its manifest. */
const isOfPackage = (path: string): boolean =>
  basename(dirname(path)) === "agent" && existsSync(join(dirname(path), "../package.json"));
