/**
 * The Worker's code is replaced under open streams: by a new process with new code, and by a reload
 * of wrangler.
 */
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import { Health } from "../../protocol/api/fleet.ts";
import { VERSION } from "../../worker/version.ts";
import { summaryOf } from "./accounts.ts";
import type { Chain } from "./chain.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import type { Stage } from "./stage.ts";
import { anyShape, type Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type DeployPlan = { deploys: number; streams: number; wrangler: boolean };

const GOAL_MS = 1_000;

export async function deploy(
  setting: Setting,
  { deploys, streams, wrangler }: DeployPlan,
): Promise<Finding[]> {
  const { stage } = setting;
  const versions = [1, 2].map((version) => versionOf(stage, version));
  const findings = await deploying(
    setting,
    "a new process with new code",
    await stage.chain(),
    streams,
    deploys,
    async (chain, round) => {
      chain.script = versions[round % 2] ?? stage.script;
      await chain.kill("workerd");
      await chain.start("workerd");
    },
  );
  if (!wrangler) return findings;
  const folder = wranglerFolder(stage);
  const chain = await stage.chain({ wranglerFolder: folder });
  return [
    ...findings,
    ...(await deploying(
      setting,
      "a reload by wrangler dev",
      chain,
      streams,
      Math.min(deploys, 5),
      async (_, round) => {
        // Renamed into place, so that wrangler never reads half of it.
        const fresh = join(stage.folder, "fresh.js");
        cpSync(versions[round % 2] ?? stage.script, fresh);
        renameSync(fresh, join(folder, "index.js"));
      },
    )),
  ];
}

async function deploying(
  { random, print }: Setting,
  subject: string,
  chain: Chain,
  streams: number,
  deploys: number,
  replace: (chain: Chain, round: number) => Promise<void>,
): Promise<Finding[]> {
  await using _ = chain;
  const { callers } = chain;
  let isOver = false;
  const load = callers.load(
    streams,
    () => ({ shape: anyShape(random), tokens: 200, tokenMs: 20 }),
    () => isOver,
  );
  const upMs: number[] = [];
  for (let round = 0; round < deploys; round++) {
    // A deploy normally meets tunnels that have been up for a while. An agent whose tunnel fails
    // within five seconds waits longer before each attempt.
    await sleep(round === 0 ? 1_500 : 6_000);
    await replace(chain, round);
    const startMs = performance.now();
    await until(
      async () => (await versionAt(chain)) === `0.0.${(round % 2) + 1}`,
      "the new code answers",
    );
    const answersMs = performance.now();
    await until(
      async () => (await callers.call("ndjson", 1, 0).ended).outcome === "whole",
      "a new call is served",
    );
    upMs.push(performance.now() - answersMs);
    print(
      `deploy ${round + 1}: the new code answers after ${Math.round(answersMs - startMs)} ms, and serves ${Math.round(upMs.at(-1) ?? 0)} ms later`,
    );
  }
  isOver = true;
  await load;
  await chain.endWaiting();
  const accounts = await chain.accounts();
  const spread = spreadOf(upMs);
  return [
    promise(
      "R11",
      `${deploys} deploys under ${streams} streams: ${subject}`,
      "no record lost",
      `${callers.count("broken") + callers.count("unanswered")} calls broken; ${summaryOf(accounts)}`,
      [...callers.wrongs, ...accounts.problems],
    ),
    measured(
      "R11",
      `${subject}: a new call is served`,
      "<= 1 s",
      `${spread.text}, ${loadNow()}`,
      spread.max <= GOAL_MS,
    ),
  ];
}

async function versionAt(chain: Chain): Promise<string> {
  return Health.parse(await (await fetch(`${chain.url}/api/health`)).json()).version;
}

/** Returns the bundle with another version in it. */
function versionOf(stage: Stage, version: number): string {
  const code = readFileSync(stage.script, "utf8");
  // Names in a bundle may differ from those of the source.
  const named = code.replace(`"${VERSION}"`, `"0.0.${version}"`);
  if (named === code) throw new Error("the bundle contains no version");
  const file = join(stage.folder, `version-${version}.js`);
  writeFileSync(file, named);
  return file;
}

/**
 * Writes the folder that wrangler serves: the bundle, which a suite may overwrite, and the
 * project's settings without its build.
 */
function wranglerFolder(stage: Stage): string {
  const folder = join(stage.folder, "wrangler");
  mkdirSync(folder, { recursive: true });
  const toml = readFileSync(join(ROOT, "wrangler.toml"), "utf8")
    .replace(/^main = .*$/m, 'main = "index.js"\nno_bundle = true')
    .replace(/^\[build\]\ncommand = .*$/m, "")
    .replace(/^directory = .*$/m, `directory = ${JSON.stringify(join(ROOT, "dist/assets"))}`);
  writeFileSync(join(folder, "wrangler.toml"), `${toml}\n[vars]\nAUTH_MODE = "open"\n`);
  cpSync(stage.script, join(folder, "index.js"));
  return folder;
}
