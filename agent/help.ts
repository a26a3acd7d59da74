/** The text of `--help`. */
import { CONTEXTS_DEFAULT } from "../protocol/bench.ts";
import { DRAIN_MS } from "./clock/drain.ts";
import { AgentVariables } from "./config.ts";
import { documented, type VariableSchemas } from "./documented-variables.ts";
import { wrappedText } from "./terminal/table.ts";
import { AGENT_VERSION } from "./version.ts";

const COLUMNS = 100;
const NAME_COLUMNS = 23;

/**
 * Returns the variables with their descriptions in a column of their own, without Markdown and
 * links.
 */
export const variablesHelp = (variables: VariableSchemas): string =>
  documented(variables)
    .map(({ name, description, fallback }) => {
      const text = fallback === "" ? description : `${description} (default: ${fallback})`;
      const plain = text.replace(/,? see \[[^\]]+\]\([^)]*\)/g, "").replaceAll("`", "");
      const lines = wrappedText(plain, COLUMNS - NAME_COLUMNS);
      return `  ${name}`.padEnd(NAME_COLUMNS) + lines.join(`\n${" ".repeat(NAME_COLUMNS)}`);
    })
    .join("\n");

export const HELP = `ollama-edge-agent ${AGENT_VERSION}

Connects the Ollama on this machine to your ollama-edge-serve Worker.

The agent dials out, so this machine needs no port open to the internet. It measures every
request it forwards, reads the GPUs with nvidia-smi, and keeps the records of finished requests
on disk until the Worker has stored them.

Usage:
  ollama-edge-agent [--listen [host:]port]   run until SIGTERM or Ctrl-C
  ollama-edge-agent check [--listen ...]     test the setup, then exit
  ollama-edge-agent status [--json]          show the running agent, then exit
  ollama-edge-agent top                      show it, and refresh it every second
  ollama-edge-agent join <edge> [<code>]     join an edge with a code, then run
  ollama-edge-agent leave                    end the joining of this machine
  ollama-edge-agent bench [--model m]        measure a model on this machine, then exit

Options:
  --listen [host:]port  Also serve the Ollama API to callers on this machine or network. Their
                        requests are recorded like those that arrive through the Worker.
                        Default host: 127.0.0.1
  check, --check        Test the Worker, the secret, Ollama, the GPU and the --listen address.
                        Exits with 1 if a required part fails. A GPU is optional.
  status, top           Show the agent that runs on this machine: its edge, Ollama, GPUs, requests
                        in flight, and what is wrong. Both read STATE_DIR if it is set; otherwise
                        they look in .state/agent and /var/lib/ollama-edge-agent. --json prints
                        everything.
  join                  Make a key on this machine, and exchange the code for a certificate. Without
                        the code, read it from the input, so that it is in no list of processes.
                        --exit ends after joining instead of running.
  leave                 Give the certificate back, and delete it and the key.
  bench                 Measure tokens per second, time to first token, prefill, load and energy.
                        Needs no Worker, and works while the agent is running. It cannot see other
                        callers: start it on an idle box. Options:
    --model m           The model. Default: the only one that is in memory or installed
    --json              Print the result as JSON
    --contexts 128,...  Lengths of the prompts in tokens (default: ${CONTEXTS_DEFAULT.join(",")})
    --output-tokens n   Length of each answer (default: 128)
    --repeats n         Measured requests for each prompt length (default: 3)
    --reload            Unload the model first, to measure the time of its load
    --wait s            Longest wait for idle GPUs in seconds (default: 60)
  -h, --help            Print this help.
  --version             Print the version.

The first SIGTERM or Ctrl-C lets open requests finish (up to ${DRAIN_MS / 1_000} s); a second one stops at once.

Environment:
${variablesHelp(AgentVariables.shape)}
  LOG_FORMAT           json writes one JSON object a line (default, unless stdout is a terminal)
`;
