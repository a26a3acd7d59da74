/**
 * Makes the package of the agent and its library in `dist/package`, and packs it: `npm run package`.
 * Arguments are passed to `npm pack`. Run `build.ts` first.
 *
 * The package has a manifest of its own: its files contain the packages that they need, and those of
 * the Worker are of no use to a program that installs it. See decision 10.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

const OUT = "dist/package";

/** The fields that the package shares with the project. */
const Shared = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  keywords: z.array(z.string()),
  license: z.string(),
  engines: z.object({ node: z.string() }),
});

/** `tsc` writes the types: see `agent/tsconfig.library.json`. */
const OWN = {
  type: "module",
  exports: {
    "./agent": {
      types: "./library/types/agent/index.d.ts",
      default: "./library/index.js",
    },
    "./package.json": "./package.json",
  },
  bin: { "ollama-edge-agent": "agent/agent.mjs" },
};

const COPIED = {
  "dist/library/index.js": "library/index.js",
  "dist/assets/agent": "agent",
  "README.md": "README.md",
  "CHANGELOG.md": "CHANGELOG.md",
  "SECURITY.md": "SECURITY.md",
  LICENSE: "LICENSE",
};

/** Runs a command of the project. Ends this program if it fails. */
function run(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
for (const [from, to] of Object.entries(COPIED)) cpSync(from, join(OUT, to), { recursive: true });
run("tsc", "-p", "agent/tsconfig.library.json");
const { engines, ...shared } = Shared.parse(JSON.parse(readFileSync("package.json", "utf8")));
const manifest = { ...shared, engines: { node: engines.node }, ...OWN };
writeFileSync(join(OUT, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
run("npm", "pack", `./${OUT}`, ...process.argv.slice(2));
