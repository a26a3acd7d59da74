"use strict";
/**
 * Makes `npm start` and `npm test` complete on a fresh clone: runs `npm ci` when node_modules is
 * missing or differs from the lockfile, and checks that there is a Node that runs the sources.
 * CommonJS, because it must run on whatever Node is on the PATH, before the project's own is there.
 */
const { spawnSync } = require("node:child_process");
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const root = join(__dirname, "..");

/** The packages of a lockfile by their folder; none if there is no such file. */
const packagesOf = (lockfile) => {
  try {
    const { "": _project, ...packages } = JSON.parse(
      readFileSync(join(root, lockfile), "utf8"),
    ).packages;
    return packages;
  } catch {
    return {};
  }
};

/** Compares contents, not times: a checkout makes files newer without changing them. */
const isInstalled = () => {
  const wanted = packagesOf("package-lock.json");
  // npm writes this file last, so an interrupted install counts as missing.
  const installed = packagesOf("node_modules/.package-lock.json");
  const isSame = (folder) => installed[folder]?.integrity === wanted[folder]?.integrity;
  return (
    Object.keys(installed).every(isSame) &&
    Object.keys(wanted).every((folder) => wanted[folder].optional || isSame(folder))
  );
};

if (!isInstalled()) {
  console.log("Installing the packages of the project (npm ci), which takes about a minute …");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) {
    console.error("npm ci failed, see above. Is the npm registry reachable?");
    process.exit(npm.status ?? 1);
  }
}

/** The lockfile has a Node for the usual machines. On others the one on the PATH takes its place. */
const hasOwnNode = existsSync(join(root, "node_modules/.bin/node"));

/** The oldest Node that runs the sources: it has `import.meta.main`. */
const NODE_MIN = { major: 24, minor: 2 };

const [major, minor] = process.versions.node.split(".").map(Number);
const isOld = major < NODE_MIN.major || (major === NODE_MIN.major && minor < NODE_MIN.minor);
if (!hasOwnNode && isOld) {
  console.error(
    `The lockfile brought no Node to this machine (${process.platform}, ${process.arch}), and Node ` +
      `${process.versions.node} is too old. Install Node ${NODE_MIN.major}.${NODE_MIN.minor} or newer, or delete node_modules and try again.`,
  );
  process.exit(1);
}

module.exports = { hasOwnNode };
