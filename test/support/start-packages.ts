/** The packages that `npm start` needs: those that `npm ci --omit=dev` installs on this machine. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { ROOT } from "../../local/edge.ts";

const Lockfile = z.object({
  packages: z.record(z.string(), z.object({ dev: z.boolean().default(false) })),
});

/** Blocks of `stat` have 512 bytes on every system. */
const BLOCK_BYTES = 512;

/** Size on disk, as `du` counts it, in MB of 2^20 bytes. */
export function startPackagesMb(): number {
  const { packages } = Lockfile.parse(
    JSON.parse(readFileSync(join(ROOT, "node_modules/.package-lock.json"), "utf8")),
  );
  const folders = Object.entries(packages).filter(([, { dev }]) => !dev);
  const bytes = folders.reduce((sum, [folder]) => sum + bytesIn(join(ROOT, folder)), 0);
  return Math.round(bytes / 2 ** 20);
}

/** Packages inside a package have an entry of their own. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return sum + (entry.isDirectory() ? bytesIn(path) : 0) + lstatSync(path).blocks * BLOCK_BYTES;
    }, 0);
}
