/** The disk that holds the models: the folder used to find it, and how full its file system is. */
import { statfs } from "node:fs/promises";
import { join } from "node:path";

export type Disk = { path: string; totalBytes: number; usedBytes: number };

/**
 * Returns the folders that may hold the models, the most likely first. The last one always exists:
 * a default Ollama is usually on the same disk, and the sample names the folder used.
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
  "/var/lib/ollama", // packages of Linux distributions
  stateDir,
];

/**
 * Returns the file system of the first folder that can be read; null if all fail.
 *
 * Reading is the test: a folder that is missing, or inside one that the agent may not enter, is not
 * an error. File systems without a size (some network ones) are skipped, too.
 */
export async function diskOf(folders: readonly string[]): Promise<Disk | null> {
  for (const path of folders) {
    try {
      const { bsize, blocks, bfree } = await statfs(path);
      if (blocks > 0)
        return { path, totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize };
    } catch {
      // Try the next one.
    }
  }
  return null;
}
