/** The disk that the models are on: which folder says so, and how full its file system is. */
import { statfs } from "node:fs/promises";
import { join } from "node:path";

export type Disk = { path: string; totalBytes: number; usedBytes: number };

/**
 * Where the models may be, best guess first. The last one is there in any case: a default Ollama is
 * mostly on the same disk, and the sample says which folder answered.
 * @see https://github.com/ollama/ollama/blob/main/docs/faq.md (where are models stored)
 */
export const diskFolders = ({
  ollamaModels,
  home,
  stateDir,
}: {
  ollamaModels: string | null;
  home: string;
  stateDir: string;
}): string[] => [
  ...(ollamaModels === null ? [] : [ollamaModels]),
  join(home, ".ollama", "models"),
  "/usr/share/ollama/.ollama/models", // Linux, as a service
  "/var/lib/ollama", // packages of distributions
  stateDir,
];

/**
 * The file system of the first folder that can be asked; null when none can.
 *
 * Asking is the test: a folder that is missing, or behind one that the agent may not enter, is no error.
 * A file system that tells no size (some network ones) is passed over too.
 */
export async function diskOf(folders: readonly string[]): Promise<Disk | null> {
  for (const path of folders) {
    try {
      const { bsize, blocks, bfree } = await statfs(path);
      if (blocks > 0)
        return { path, totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize };
    } catch {
      // the next one
    }
  }
  return null;
}
