"use strict";
/**
 * Runs one program of the project: `node local/run.cjs [--dev] <file.ts | command> [argument …]`.
 *
 * The scripts of package.json call it on whatever Node is on the PATH. It installs the packages if
 * they are missing, with `--dev` those of the tests too. Then it runs the file under the project's own
 * Node, or the command from `node_modules/.bin`. CommonJS without types, because the system's Node may
 * be older than the project's.
 */
const { install } = require("./install.cjs");
const { spawn } = require("node:child_process");
const { delimiter, join } = require("node:path");

/** How often to check that npm is still running. */
const PARENT_MS = 250;

const bin = join(__dirname, "..", "node_modules", ".bin");
const needsDev = process.argv[2] === "--dev";
const [program, ...rest] = process.argv.slice(needsDev ? 3 : 2);
const hasOwnNode = install(needsDev);
const [command, args] = program.endsWith(".ts") ? ["node", [program, ...rest]] : [program, rest];

const isOnPath = command === "node" && !hasOwnNode;
const child = spawn(isOnPath ? command : join(bin, command), args, {
  stdio: "inherit",
  env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  shell: process.platform === "win32",
});
child.on("error", (error) => {
  console.error(
    `${command} cannot be started: ${error.message}. Delete node_modules and try again.`,
  );
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the whole process group, so the child has it already.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });

// A signal to npm alone may end only the shell between npm and this process.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid === parent) return;
  child.kill("SIGTERM");
}, PARENT_MS).unref();
