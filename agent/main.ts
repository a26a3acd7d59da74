#!/usr/bin/env node
/** The command `ollama-edge-agent`: options, signals, exit codes. */
import { parseArgs } from "node:util";
import { benchCommand } from "./bench-command.ts";
import { check } from "./check.ts";
import { DRAIN_MS } from "./clock/drain.ts";
import { StopSignals } from "./clock/stop-signals.ts";
import type { AgentConfig } from "./config.ts";
import { ConfigError, JoinError, ListenError } from "./errors.ts";
import { HELP } from "./help.ts";
import { joinCommand, leaveCommand } from "./joining/join-command.ts";
import { joinedSettingsOf } from "./joining/joined-config.ts";
import type { BoxMembership } from "./joining/membership.ts";
import { type ListenAddress, listenAddressOf } from "./listen/listen-address.ts";
import { makeLog } from "./log.ts";
import { startBox } from "./start.ts";
import { StateLockError } from "./state/lock.ts";
import { AGENT_VERSION } from "./version.ts";

/** Time that a second signal leaves to end open requests with an error and write their records. */
const STOP_MS = 1_000;

const log = makeLog();

async function main(): Promise<void> {
  const [, , command, ...args] = process.argv;
  if (command === "bench") return runBenchCommand(args);
  if (command === "join" || command === "leave") return runJoining(command, args);
  let options: { check?: boolean; help?: boolean; listen?: string; version?: boolean };
  try {
    options = parseArgs({
      options: {
        check: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        listen: { type: "string" },
        version: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    return stopWith(
      `${error instanceof Error ? error.message : String(error)}\nRun ollama-edge-agent --help for the options.`,
      2,
    );
  }
  if (options.help) return void process.stdout.write(HELP);
  if (options.version) return void console.log(AGENT_VERSION);
  try {
    const { config, membership } = joinedSettingsOf(process.env);
    const listen = options.listen === undefined ? null : listenAddressOf(options.listen);
    if (options.check) await runCheck(config, listen, membership);
    else await run(config, listen, membership);
  } catch (error) {
    stopOn(error);
  }
}

async function runJoining(command: "join" | "leave", args: readonly string[]): Promise<void> {
  const print = (text: string) => console.log(text);
  try {
    if (command === "leave") return await leaveCommand(process.env, print);
    if (!(await joinCommand(args, process.env, print))) return;
    const { config, membership } = joinedSettingsOf(process.env);
    await run(config, null, membership);
  } catch (error) {
    stopOn(error);
  }
}

/** Ctrl-C stops the request to Ollama too. */
async function runBenchCommand(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => stop.abort(new Error("The bench was cancelled.")));
  try {
    process.exitCode = await benchCommand(args, process.env, stop.signal, {
      print: (text) => process.stdout.write(`${text}\n`),
      note: (text) => process.stderr.write(`${text}\n`),
    });
  } catch (error) {
    if (error instanceof ConfigError) return stopWith(error.message, 2);
    throw error;
  }
}

async function runCheck(
  config: AgentConfig,
  listen: ListenAddress | null,
  membership: BoxMembership | null,
): Promise<void> {
  process.exit((await check(config, listen, membership, (line) => console.log(line))) ? 0 : 1);
}

async function run(
  config: AgentConfig,
  listen: ListenAddress | null,
  membership: BoxMembership | null,
): Promise<void> {
  const running = await startBox(config, { listen, membership }, log);
  const signals = new StopSignals();
  const stop = (signal: NodeJS.Signals) => {
    const meaning = signals.take(performance.now());
    if (meaning === null) return;
    const limit_s = (meaning === "first" ? DRAIN_MS : STOP_MS) / 1_000;
    const waits_for =
      meaning === "first" ? "open requests; a second signal stops at once" : "nothing";
    log("info", "stopping", { signal, waits_for, limit_s });
    if (meaning === "second") setTimeout(() => process.exit(1), STOP_MS);
    void (meaning === "first" ? running.drain() : running.stop()).then(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

/** Reports an error that is the operator's to mend. @throws any other */
function stopOn(error: unknown): void {
  const isKnown = [ConfigError, JoinError, StateLockError, ListenError].some(
    (kind) => error instanceof kind,
  );
  if (!isKnown) throw error;
  stopWith((error as Error).message, 2);
}

function stopWith(message: string, code: number): void {
  console.error(message);
  process.exitCode = code;
}

await main();
