"use strict";
/**
 * Makes `npm start` and `npm test` complete on a fresh clone: runs `npm ci` when packages are missing
 * or differ from the lockfile, and checks that there is a Node that runs the sources. With `--dev`, the
 * packages of the tests are installed too. They are almost half of all, and `npm start` needs none of them.
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

/** The lockfile has a Node for the usual machines. On others the one on the PATH takes its place. */
const hasOwnNode = () => existsSync(join(root, "node_modules/.bin/node"));

/** The oldest Node that runs the sources: it has `import.meta.main`. */
const NODE_MIN = { major: 24, minor: 2 };

/** Installs what is missing. Compares contents, not times, since a checkout makes files newer. */
const installPackages = (withDev) => {
  const wanted = packagesOf("package-lock.json");
  // npm writes this file last, so an interrupted install counts as missing.
  const installed = packagesOf("node_modules/.package-lock.json");
  const isSame = (folder) => installed[folder]?.integrity === wanted[folder]?.integrity;
  const isNeeded = (folder) => !wanted[folder].optional && (withDev || !wanted[folder].dev);
  const folders = Object.keys(installed);
  const isCurrent = folders.every(isSame);
  if (isCurrent && Object.keys(wanted).every((folder) => !isNeeded(folder) || isSame(folder)))
    return;
  // A folder with the packages of the tests has them also after the lockfile changed.
  const kind =
    withDev || Object.values(installed).some(({ dev }) => dev) ? "--include=dev" : "--omit=dev";
  // `npm ci` begins by deleting the Node that runs this, which Windows refuses. Nothing has to go.
  const command = isCurrent && folders.length > 0 ? ["install", "--no-save"] : ["ci"];
  const args = [...command, kind];
  console.log(`Installing packages of the project (npm ${args.join(" ")}), up to a minute …`);
  const npm = spawnSync("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (npm.status === 0) return;
  console.error("npm failed, see above. Is the npm registry reachable?");
  process.exit(npm.status ?? 1);
};

const checkNode = () => {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const isOld = major < NODE_MIN.major || (major === NODE_MIN.major && minor < NODE_MIN.minor);
  if (hasOwnNode() || !isOld) return;
  console.error(
    `The lockfile brought no Node to this machine (${process.platform}, ${process.arch}), and Node ` +
      `${process.versions.node} is too old. Install Node ${NODE_MIN.major}.${NODE_MIN.minor} or newer, or delete node_modules and try again.`,
  );
  process.exit(1);
};

/**
 * @param {boolean} withDev  the packages of the tests are needed
 * @returns {boolean} whether the lockfile brought a Node
 */
const install = (withDev) => {
  installPackages(withDev);
  checkNode();
  return hasOwnNode();
};

if (require.main === module) install(process.argv.includes("--dev"));

module.exports = { install };
