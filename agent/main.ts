#!/usr/bin/env node
/** The command `ollama-edge-agent`: options, signals, exit codes. */
import { parseArgs } from "node:util";
import { check } from "./check.ts";
import { DRAIN_MS } from "./clock/drain.ts";
import { type AgentConfig, configOf } from "./config.ts";
import { ConfigError, ListenError } from "./errors.ts";
import { type ListenAddress, listenAddressOf } from "./listen/listen-address.ts";
import { makeLog } from "./log.ts";
import { startBox } from "./start.ts";
import { StateLockError } from "./state/lock.ts";
import { AGENT_VERSION } from "./version.ts";

const HELP = `ollama-edge-agent ${AGENT_VERSION}: connects the Ollama on this machine to your ollama-edge-serve Worker.

The agent dials out, so this machine needs no port open to the internet. It measures every
request it forwards, reads the GPUs with nvidia-smi, and keeps the records of finished requests
on disk until the Worker has stored them.

Usage:
  ollama-edge-agent [--listen [host:]port]   run until SIGTERM or Ctrl-C
  ollama-edge-agent --check [--listen ...]   test the setup, then exit

Options:
  --listen [host:]port  Also serve the Ollama API to callers on this machine or network. Their
                        requests are recorded like those that arrive through the Worker.
                        Default host: 127.0.0.1
  --check               Test the Worker, the secret, Ollama, the GPU and the --listen address.
                        Exits with 1 if a required part fails. A GPU is optional.
  -h, --help            Print this help.
  --version             Print the version.

The first SIGTERM or Ctrl-C lets open requests finish (up to ${DRAIN_MS / 1_000} s); a second one stops at once.

Environment:
  EDGE_URL       URL of your Worker, e.g. https://ollama-edge-serve.you.workers.dev (required)
  BOX_SECRET     Secret of this box, as set in the Worker's BOX_SECRETS
  BOX_NAME       Name of this box (default: the host name)
  OLLAMA_HOST    Ollama to serve (default: http://127.0.0.1:11434)
  OLLAMA_MODELS  Folder of Ollama's models; its disk space is reported (default: Ollama's own)
  OLLAMA_NUM_PARALLEL  The same value that Ollama has, to count waiting requests exactly (default: 1)
  STATE_DIR      Folder for records waiting to be sent (default: .state/agent)
  NVIDIA_SMI     Path of nvidia-smi (default: nvidia-smi, from the PATH)
  SIMULATED      1 labels everything from this box as simulated (default: 0)
  ALLOW_SERVER_TOOLS
                 1 lets callers use the tools that Ollama runs on ollama.com, on your
                 account, such as web_search (default: 0)
  LOG_FORMAT     json writes one JSON object a line (default, unless stdout is a terminal)
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
    return stopWith(
      `${error instanceof Error ? error.message : String(error)}\nRun ollama-edge-agent --help for the options.`,
      2,
    );
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
  const running = await startBox(config, { listen }, log);
  let signals = 0;
  const stop = () => {
    // A second signal stops at once.
    const ending = ++signals === 1 ? running.drain() : running.stop();
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
