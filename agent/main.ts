#!/usr/bin/env node
/** The command `ollama-edge-agent`: options, signals, exit codes. */
import { parseArgs } from "node:util";
import { check } from "./check.ts";
import { type AgentConfig, configOf } from "./config.ts";
import { ConfigError, ListenError } from "./errors.ts";
import { type ListenAddress, listenAddressOf } from "./listen/listen-address.ts";
import { makeLog } from "./log.ts";
import { startBox } from "./start.ts";
import { StateLockError } from "./state/lock.ts";
import { AGENT_VERSION } from "./version.ts";

const HELP = `ollama-edge-agent ${AGENT_VERSION}: connects the Ollama on this machine to your ollama-edge-serve Worker.

It dials out, so nothing on this machine listens to the internet. It reads nvidia-smi, measures
every request it forwards, and keeps finished ones on disk until the Worker has them.

Usage:
  ollama-edge-agent            run (SIGTERM or Ctrl-C: finish open requests, then stop)
  ollama-edge-agent --listen [host:]port
                               also be an Ollama for callers of this machine (or network): what they
                               call is recorded like what comes through the Worker
  ollama-edge-agent --check    say what works: edge, secret, Ollama, GPU; exit 1 if something must be mended
  ollama-edge-agent --help     this text
  ollama-edge-agent --version

Environment:
  EDGE_URL      your Worker, e.g. https://ollama-edge-serve.you.workers.dev   (required)
  BOX_SECRET    this box's secret, as in the Worker's BOX_SECRETS
  BOX_NAME      name of this box                        (default: the host name)
  OLLAMA_HOST   the Ollama to serve                     (default: http://127.0.0.1:11434)
  OLLAMA_MODELS where Ollama keeps its models: the disk whose space is shown (default: Ollama's usual folders)
  STATE_DIR     where finished requests wait on disk    (default: .state/agent)
  NVIDIA_SMI    path of nvidia-smi                      (default: nvidia-smi)
  SIMULATED     1: label everything from this box as simulated
  LOG_FORMAT    json: one JSON object a line            (default: json unless on a terminal)
`;

const log = makeLog();

async function main(): Promise<void> {
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
    return stopWith(`${error instanceof Error ? error.message : String(error)}\nTry --help.`, 2);
  }
  if (options.help) return void process.stdout.write(HELP);
  if (options.version) return void console.log(AGENT_VERSION);
  try {
    const config = configOf(process.env);
    const listen = options.listen === undefined ? null : listenAddressOf(options.listen);
    if (options.check) await runCheck(config, listen);
    else await run(config, listen);
  } catch (error) {
    if (
      error instanceof ConfigError ||
      error instanceof StateLockError ||
      error instanceof ListenError
    )
      return stopWith(error.message, 2);
    throw error;
  }
}

async function runCheck(config: AgentConfig, listen: ListenAddress | null): Promise<void> {
  process.exit((await check(config, listen, (line) => console.log(line))) ? 0 : 1);
}

async function run(config: AgentConfig, listen: ListenAddress | null): Promise<void> {
  const box = await startBox(config, { listen }, log);
  let signals = 0;
  const stop = () => {
    // The second signal means now.
    const ending = ++signals === 1 ? box.drain() : box.stop();
    void ending.then(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

function stopWith(message: string, code: number): void {
  console.error(message);
  process.exitCode = code;
}

await main();
