"use strict";
/**
 * Makes `npm start` and `npm test` complete on a fresh clone: runs `npm ci` when node_modules is
 * missing or older than the lockfile. CommonJS, because it must run on whatever Node is on the
 * PATH, before the project's own Node is there.
 */
const { spawnSync } = require("node:child_process");
const { statSync } = require("node:fs");
const { join } = require("node:path");

const root = join(__dirname, "..");
const changed = (path) => {
  try {
    return statSync(join(root, path)).mtimeMs;
  } catch {
    return 0;
  }
};

// npm writes this file last, so an interrupted install is seen as missing.
if (changed("node_modules/.package-lock.json") < changed("package-lock.json")) {
  console.log("Installing what the project needs (npm ci); once, about a minute …");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) {
    console.error("npm ci failed: see above. Is the npm registry reachable?");
    process.exit(npm.status ?? 1);
  }
}
