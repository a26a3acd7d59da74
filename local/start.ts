/**
 * `npm start`: the Worker and one agent on this machine. `npm run demo`: the same with three
 * simulated boxes and traffic.
 *
 * Without an Ollama a simulated one stands in, with its own state folder, until the real one answers.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { makeStateFolder } from "../agent/state/folder.ts";
import { acquireStateLock, StateLockError } from "../agent/state/lock.ts";
import { buildAssets, ChildFailure, checkPort } from "./edge.ts";
import type { Child } from "./processes.ts";
import { type Reaper, startReaper } from "./reaping.ts";
import { type LocalSettings, localSettingsOf, SettingsError } from "./settings.ts";
import { DEMO_BOXES, ollamaAnswers, standIn } from "./simulation.ts";
import { Stack, type StackPlan } from "./stack.ts";
import { runTraffic } from "./traffic.ts";

/** How often a missing Ollama is looked for. */
const LOOK_MS = 5_000;
/** npm passes a Ctrl-C on that we got already: signals closer together than this are one. */
const ONE_SIGNAL_MS = 500;

/** How often to look whether npm is still there. */
const PARENT_MS = 250;

const say = (line: string) => console.log(line);

let stack: Stack | null = null;
let firstSignalMs: number | null = null;

async function main(): Promise<void> {
  const { demo } = parseArgs({ options: { demo: { type: "boolean", default: false } } }).values;
  const settings = localSettingsOf(process.env, hostname());
  const lock = lockOf(demo ? join(settings.stateDir, "demo") : settings.stateDir);
  await checkPort(settings.port);
  const reaper = startReaper();
  const end = async (code: number) => {
    await stack?.stop();
    lock.release();
    reaper.close();
    process.exit(code);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => onSignal(end));
  endWithNpm(() => onSignal(end));
  const onDeath = (child: Child) => {
    if (firstSignalMs !== null) return;
    firstSignalMs = performance.now();
    console.error(
      `The ${child.name} has died; nothing works without it. Its last lines:\n${tailOf(child)}`,
    );
    void end(1);
  };
  try {
    await buildAssets(reaper);
    await run(demo, settings, reaper, onDeath);
  } catch (error) {
    if (firstSignalMs !== null) return; // it fails because we end it
    firstSignalMs = performance.now();
    if (!(error instanceof ChildFailure)) throw error;
    console.error(`${error.message}. Its last lines:\n${tailOf(error.child)}`);
    await end(1);
  }
}

async function run(
  isDemo: boolean,
  settings: LocalSettings,
  reaper: Reaper,
  onDeath: (child: Child) => void,
): Promise<void> {
  const isReal = !isDemo && (await ollamaAnswers(settings.ollamaUrl));
  if (isDemo)
    say("A demo: three simulated boxes and simulated callers. Every number you see is made up.");
  else if (!isReal) {
    say(`No Ollama answers at ${settings.ollamaUrl.origin}: a simulated box stands in.`);
    say(
      `Its numbers are made up, and kept apart in ${join(settings.stateDir, "simulated")}. The real one is looked for every ${LOOK_MS / 1_000} s.`,
    );
  }
  const simulated: StackPlan = isDemo
    ? { kind: "demo", boxes: DEMO_BOXES }
    : { kind: "simulated", boxes: [standIn(settings.box)] };
  const first = new Stack(settings, reaper, say);
  stack = first;
  await first.start(isReal ? { kind: "real" } : simulated, onDeath);
  if (firstSignalMs !== null) return;
  greet(first.url, settings, isReal);
  if (isDemo)
    return runTraffic(first, settings.worker.CALLER_KEY ?? settings.worker.ADMIN_KEY ?? null, say);
  if (isReal) return;
  while (firstSignalMs === null && !(await ollamaAnswers(settings.ollamaUrl))) await sleep(LOOK_MS);
  if (firstSignalMs !== null) return;
  say(
    `An Ollama answers at ${settings.ollamaUrl.origin} now: the simulated box goes, the real one comes.`,
  );
  await first.stop();
  if (firstSignalMs !== null) return;
  stack = new Stack(settings, reaper, say);
  await stack.start({ kind: "real" }, onDeath);
  say(`The real Ollama at ${settings.ollamaUrl.origin} is served now, at the same address.`);
}

/** The second signal means now: nothing is waited for. */
function onSignal(end: (code: number) => Promise<void>): void {
  const now = performance.now();
  if (firstSignalMs === null) {
    firstSignalMs = now;
    say("Stopping: open requests are finished first (10 s at most). Again to stop at once.");
    void end(0);
  } else if (now - firstSignalMs > ONE_SIGNAL_MS) {
    stack?.kill();
    process.exit(1);
  }
}

/**
 * A signal to npm ends the shell that npm put between itself and us, and that shell tells nobody.
 * What we can see is that our parent has changed.
 */
function endWithNpm(end: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, PARENT_MS);
  timer.unref();
}

function greet(url: string, settings: LocalSettings, isReal: boolean): void {
  const isOpen = settings.worker.AUTH_MODE === "open";
  const key = isOpen ? ", any API key" : ", with an API key";
  say(`ready ${url}`);
  say(`  dashboard   ${url}/`);
  say(
    `  API         ${url}/api/stats/current, /api/stats/logs, /api/models, /api/gpu, /api/metrics`,
  );
  say(`  ollama      OLLAMA_HOST=${url}/ollama${isOpen ? "" : "/k/<API key>"} ollama list`);
  say(`  OpenAI      base URL ${url}/v1${key}`);
  say(`  Anthropic   base URL ${url}/ollama${key}`);
  say(
    `  ${isReal ? `box         ${settings.box}, Ollama at ${settings.ollamaUrl.origin}` : "simulated   no model runs here: answers and figures are made up"}`,
  );
  say("  stop        Ctrl-C");
}

function lockOf(folder: string): { release(): void } {
  try {
    makeStateFolder(folder);
  } catch {
    throw new SettingsError(`STATE_DIR ${folder} cannot be made: set another`);
  }
  try {
    return acquireStateLock(folder);
  } catch (error) {
    if (!(error instanceof StateLockError)) throw error;
    if (error.reason === "not_writable")
      throw new SettingsError(`STATE_DIR ${folder} is not writable: set another`);
    const who = /\(pid \d+\)/.exec(error.message)?.[0] ?? "";
    throw new SettingsError(
      `STATE_DIR ${folder} is in use by another start ${who}: stop that one, or set another STATE_DIR`,
    );
  }
}

const tailOf = (child: Child): string => {
  const lines = child.tail();
  return lines.length === 0 ? "  (none)" : lines.map((line) => `  ${line}`).join("\n");
};

try {
  await main();
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(error.message);
  process.exit(1);
}
