"use strict";
/**
 * The package.json of the published package: `strip` before it is packed, `restore` afterwards.
 *
 * The agent and the library contain the packages that they need, and the Worker's packages are of no
 * use to a program that installs this one. A published `dependencies` would install all of them for
 * nothing, so the tarball gets a package.json without it. If packing is interrupted, restore with
 * `git checkout package.json`.
 */
const { readFileSync, renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const manifest = join(__dirname, "..", "package.json");
const original = join(__dirname, "..", "dist", "package.json.original");

/** The scripts stay, because another program may run one while a package is being packed. */
const NOT_PUBLISHED = ["dependencies", "devDependencies", "allowScripts"];

/** Replaces the file in one step, so that a concurrent reader never sees half of it. */
function write(path, text) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

if (process.argv[2] === "restore") {
  renameSync(original, manifest);
} else {
  const text = readFileSync(manifest, "utf8");
  const kept = Object.entries(JSON.parse(text)).filter(([name]) => !NOT_PUBLISHED.includes(name));
  write(original, text);
  write(manifest, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
}
