/**
 * Builds the agent as a single executable for Linux:
 * `npm run executable`, or with the names of platforms. Run `build.ts` first.
 *
 * Each is the Node of its platform with `agent.mjs` inside. That Node comes from npm and is larger than
 * everything else here together. So it is no dependency, but fetched on demand and kept in the cache.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** The first Node that builds executables from modules has the version 25.7. */
const NODE_VERSION = "26.12.1";

/** The platforms, with the digest of the package that has their Node. */
const PACKAGES: Record<string, string> = {
  "linux-x64":
    "sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==",
  "linux-arm64":
    "sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ==",
};

const AGENT = "dist/assets/agent/agent.mjs";
const CACHE = `node_modules/.cache/node-${NODE_VERSION}`;
const OUT = "dist/executable";

/** Runs a program. @throws with its output if it fails */
function run(command: string, ...args: string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0)
    throw new Error(`${command} ${args.join(" ")} failed: ${error?.message ?? stdout + stderr}`);
}

/** Returns the folder with the Node of a platform. The folder gets its name only when it is complete. */
function nodeFor(platform: string): string {
  const folder = join(CACHE, platform);
  if (existsSync(folder)) return folder;
  const name = `node-${platform}`;
  console.log(`Fetching ${name}@${NODE_VERSION}, 50 MB …`);
  mkdirSync(CACHE, { recursive: true });
  const partial = mkdtempSync(join(CACHE, `${platform}.partial-`));
  try {
    run("npm", "pack", `${name}@${NODE_VERSION}`, "--silent", "--pack-destination", partial);
    const archive = join(partial, `${name}-${NODE_VERSION}.tgz`);
    const digest = createHash("sha512").update(readFileSync(archive)).digest("base64");
    if (`sha512-${digest}` !== PACKAGES[platform])
      throw new Error(`${name}@${NODE_VERSION} is not the expected package: sha512-${digest}`);
    run("tar", "-xzf", archive, "-C", partial, "package/bin/node", "package/LICENSE");
    renameSync(join(partial, "package"), folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return folder;
}

/** The Node that builds must have the version of the one that runs the agent; its platform may differ. */
function buildFor(platform: string, builder: string): string {
  const node = nodeFor(platform);
  const output = join(OUT, `ollama-edge-agent-${platform}`);
  const plan = join(OUT, `${platform}.json`);
  const settings = {
    main: AGENT,
    mainFormat: "module",
    executable: join(node, "bin/node"),
    output,
    disableExperimentalSEAWarning: true,
    // NODE_OPTIONS of a box are meant for other programs.
    execArgvExtension: "none",
    // The agent compares its own digest with that of an update.
    assets: { "agent.mjs": AGENT },
  };
  writeFileSync(plan, JSON.stringify(settings));
  run(builder, "--build-sea", plan);
  rmSync(plan);
  copyFileSync(join(node, "LICENSE"), join(OUT, "LICENSE.node"));
  return output;
}

function main(): void {
  const own = `${process.platform}-${process.arch}`;
  const platforms = process.argv.length > 2 ? process.argv.slice(2) : [own];
  const names = Object.keys(PACKAGES).join(" and ");
  for (const platform of [own, ...platforms])
    if (!(platform in PACKAGES))
      throw new Error(`Executables are built on and for ${names}; got ${platform}.`);
  mkdirSync(OUT, { recursive: true });
  const builder = join(nodeFor(own), "bin/node");
  for (const platform of new Set(platforms)) console.log(buildFor(platform, builder));
}

try {
  main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
