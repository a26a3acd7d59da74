#!/usr/bin/env node
/** The command `ollama-edge-agent`: options and exit codes. */
import { parseArgs } from "node:util";
import { benchCommand } from "./bench-command.ts";
import { check } from "./check.ts";
import type { AgentConfig } from "./config.ts";
import { ConfigError, JoinError, ListenError } from "./errors.ts";
import { ranOtherFile } from "./executable.ts";
import { HELP } from "./help.ts";
import { joinCommand, leaveCommand } from "./joining/join-command.ts";
import { joinedSettingsOf } from "./joining/joined-config.ts";
import type { BoxMembership } from "./joining/membership.ts";
import { type ListenAddress, listenAddressOf } from "./listen/listen-address.ts";
import { makeLog } from "./log.ts";
import { runUntilStopped } from "./run.ts";
import { StateLockError } from "./state/lock.ts";
import { paintFor } from "./terminal/paint.ts";
import { StatusError } from "./terminal/read-status.ts";
import { statusCommand, topCommand } from "./terminal/status-commands.ts";
import { AGENT_VERSION } from "./version.ts";

const log = makeLog();

async function main(): Promise<void> {
  const [, , command, ...args] = process.argv;
  if (command === "bench") return runBenchCommand(args);
  if (command === "status" || command === "top") return runStatus(command, args);
  if (command === "join" || command === "leave") return runJoining(command, args);
  let options: { check?: boolean; help?: boolean; listen?: string; version?: boolean };
  try {
    options = parseArgs({
      args: command === "check" ? ["--check", ...args] : process.argv.slice(2),
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
    else await runUntilStopped({ config, listen, membership, log });
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
    await runUntilStopped({ config, listen: null, membership, log });
  } catch (error) {
    stopOn(error);
  }
}

async function runStatus(command: "status" | "top", args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  try {
    await (command === "status" ? statusCommand : topCommand)(args, process.env);
  } catch (error) {
    if (error instanceof StatusError) return stopWith(error.message, 1);
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
  const print = (line: string) => console.log(line);
  const isGood = await check(config, listen, membership, print, paintFor(process.stdout));
  process.exit(isGood ? 0 : 1);
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

if (!ranOtherFile()) await main();
