/**
 * `npm start`: the Worker and one agent on this machine. `npm run demo`: the same with three
 * simulated boxes and traffic.
 *
 * If no Ollama answers, a simulated one with its own state folder is used until the real one
 * answers.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StopSignals } from "../agent/clock/stop-signals.ts";
import { makeStateFolder } from "../agent/state/folder.ts";
import { acquireStateLock, StateLockError } from "../agent/state/lock.ts";
import { buildEdge, ChildFailure, checkPort } from "./edge.ts";
import { firstCall, soonestChatOf } from "./first-call.ts";
import type { Child } from "./processes.ts";
import { type Reaper, startReaper } from "./reaping.ts";
import { isDemoOf, type LocalSettings, localSettingsOf, SettingsError } from "./settings.ts";
import { DEMO_BOXES, ollamaAnswers, standIn } from "./simulation.ts";
import { Stack, type StackPlan } from "./stack.ts";
import { runTraffic } from "./traffic.ts";

/** How often to try a missing Ollama again. */
const RETRY_OLLAMA_MS = 5_000;
/** How often to check that npm is still running. */
const PARENT_MS = 250;

const print = (line: string) => console.log(line);

let stack: Stack | null = null;
const signals = new StopSignals();

async function main(): Promise<void> {
  const demo = isDemoOf(process.argv.slice(2));
  const settings = localSettingsOf(process.env, hostname());
  const lock = lockOf(demo ? join(settings.stateDir, "demo") : settings.stateDir);
  await checkPort(settings.port);
  const reaper = startReaper();
  const end = async (code: number, drainMs?: number) => {
    await stack?.stop(drainMs);
    lock.release();
    reaper.close();
    process.exit(code);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => onSignal(end));
  endWithNpm(() => onSignal(end));
  const onDeath = (child: Child) => {
    if (signals.take(performance.now()) !== "first") return;
    void child.ended.then(({ code, signal }) => {
      const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
      console.error(
        `The ${child.name} ${how}, and nothing works without it. Open requests were cut off. ` +
          `Their records are kept in ${settings.stateDir} and counted at the next start. ` +
          `The last lines of the ${child.name}:\n${tailOf(child)}`,
      );
      return end(1, 0);
    });
  };
  try {
    print("Building the Worker, the page and the agent …");
    const isReal = demo ? Promise.resolve(false) : ollamaAnswers(settings.ollamaUrl);
    await buildEdge(reaper);
    await run(demo, await isReal, settings, reaper, onDeath);
  } catch (error) {
    if (signals.take(performance.now()) !== "first") return; // it failed because it is being stopped
    if (!(error instanceof ChildFailure)) throw error;
    console.error(`${error.message}. Its last lines:\n${tailOf(error.child)}`);
    await end(1);
  }
}

async function run(
  isDemo: boolean,
  isReal: boolean,
  settings: LocalSettings,
  reaper: Reaper,
  onDeath: (child: Child) => void,
): Promise<void> {
  if (isDemo)
    print("Demo with three simulated boxes and simulated callers. All numbers are made up.");
  else if (!isReal) {
    print(`Ollama does not answer at ${settings.ollamaUrl.origin}. Using a simulated box instead.`);
    print(
      `Its numbers are made up and are kept apart in ${join(settings.stateDir, "simulated")}. Checking for a real Ollama every ${RETRY_OLLAMA_MS / 1_000} s.`,
    );
  }
  const simulated: StackPlan = isDemo
    ? { kind: "demo", boxes: DEMO_BOXES }
    : { kind: "simulated", boxes: [standIn(settings.box)] };
  const first = new Stack(settings, reaper, print);
  stack = first;
  print(`Starting the edge on ${first.url} …`);
  await first.start(isReal ? { kind: "real" } : simulated, onDeath);
  if (signals.isStopping) return;
  const [box] = simulated.boxes;
  const ollama = (isReal ? null : box && first.simulated.get(box.name)) ?? settings.ollamaUrl.href;
  greet(first.url, settings, isReal, await soonestChatOf(ollama));
  if (isDemo)
    return runTraffic(
      first,
      settings.worker.CALLER_KEY ?? settings.worker.ADMIN_KEY ?? null,
      print,
    );
  if (isReal) return;
  while (!signals.isStopping && !(await ollamaAnswers(settings.ollamaUrl)))
    await sleep(RETRY_OLLAMA_MS);
  if (signals.isStopping) return;
  print(`Ollama now answers at ${settings.ollamaUrl.origin}. Replacing the simulated box.`);
  await first.stop();
  if (signals.isStopping) return;
  stack = new Stack(settings, reaper, print);
  await stack.start({ kind: "real" }, onDeath);
  print(
    `The edge now uses the real Ollama at ${settings.ollamaUrl.origin}. Its address is unchanged.`,
  );
}

/** Stops on the first signal, after open requests have finished. Exits at once on the second. */
function onSignal(end: (code: number) => Promise<void>): void {
  const meaning = signals.take(performance.now());
  if (meaning === "first") {
    print("Stopping. Open requests get up to 10 s to finish; press Ctrl-C again to stop at once.");
    void end(0);
  } else if (meaning === "second") {
    stack?.kill();
    process.exit(1);
  }
}

/**
 * Ends when npm ends. A signal to npm kills the shell between npm and this process, and the shell
 * does not forward it. This process only sees that its parent has changed.
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

function greet(url: string, settings: LocalSettings, isReal: boolean, model: string | null): void {
  const isOpen = settings.worker.AUTH_MODE === "open";
  const key = isOpen ? ", any API key" : ", with an API key";
  print(`ready ${url}`);
  print(`  dashboard   ${url}/`);
  print(
    `  API         ${url}/api/stats/current, /api/stats/logs, /api/models, /api/gpu, /api/metrics`,
  );
  print(`  ollama      OLLAMA_HOST=${url}/ollama${isOpen ? "" : "/k/<API key>"} ollama list`);
  print(`  OpenAI      base URL ${url}/v1${key}`);
  print(`  Anthropic   base URL ${url}/ollama${key}`);
  print(
    `  ${isReal ? `box         ${settings.box}, Ollama at ${settings.ollamaUrl.origin}` : "simulated   no model runs here; answers and numbers are made up"}`,
  );
  print("  stop        Ctrl-C");
  print(model === null ? "Ollama lists no model to chat with. Pull one:" : "Try it:");
  print(`  ${firstCall(url, model, isOpen)}`);
}

function lockOf(folder: string): { release(): void } {
  try {
    makeStateFolder(folder);
  } catch {
    throw new SettingsError(`STATE_DIR ${folder} cannot be created. Set another one.`);
  }
  try {
    return acquireStateLock(folder);
  } catch (error) {
    if (!(error instanceof StateLockError)) throw error;
    if (error.reason === "not_writable")
      throw new SettingsError(`STATE_DIR ${folder} is not writable. Set another one.`);
    const who = /\(pid \d+\)/.exec(error.message)?.[0] ?? "";
    throw new SettingsError(
      `STATE_DIR ${folder} is in use by another start ${who}. Stop that one or set another STATE_DIR.`,
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
