/** The commands `status` and `top`. */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ConfigError } from "../errors.ts";
import { paintFor } from "./paint.ts";
import { readStatus, StatusError, stateFoldersOf } from "./read-status.ts";
import { Screen } from "./screen.ts";
import { statusPage } from "./status-page.ts";

/** For output that is no terminal. */
const WIDTH = 80;
const EVERY_MS = 1_000;

/**
 * `status [--json]`.
 * @throws {ConfigError} and {StatusError}
 */
export async function statusCommand(args: readonly string[], environment: NodeJS.ProcessEnv) {
  const { json } = optionsOf(args, { json: { type: "boolean" } });
  const status = await readStatus(stateFoldersOf(environment.STATE_DIR));
  const { stdout } = process;
  const page = { width: stdout.columns ?? WIDTH, height: null, paint: paintFor(stdout) };
  const lines = json ? [JSON.stringify(status, null, 2)] : statusPage(status, page);
  stdout.write(`${lines.join("\n")}\n`);
}

/**
 * `top`: the status, every second. Output that is no terminal gets one after the other.
 * @throws {ConfigError} and {StatusError}
 */
export async function topCommand(args: readonly string[], environment: NodeJS.ProcessEnv) {
  optionsOf(args, {});
  const folders = stateFoldersOf(environment.STATE_DIR);
  const { stdout, stdin } = process;
  // Without an agent there is nothing to wait for.
  let status = await readStatus(folders);
  const stop = new AbortController();
  const quit = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, quit);
  // E.g. `top | head`.
  stdout.on("error", quit);
  const screen = stdout.isTTY ? new Screen(stdout, stdin, quit) : null;
  let trouble: string | null = null;
  const paint = paintFor(stdout);
  const draw = () => {
    if (screen === null) return;
    const { columns: width, rows } = stdout;
    const note = trouble ?? "Refreshed every second. Press q to quit.";
    const noted = paint(note.split("\n")[0] ?? "", trouble === null ? "dim" : "red");
    screen.draw([noted, "", ...statusPage(status, { width, height: rows - 2, paint })]);
  };
  stdout.on("resize", draw);
  try {
    while (!stop.signal.aborted) {
      if (screen !== null) draw();
      else
        stdout.write(`${statusPage(status, { width: WIDTH, height: null, paint }).join("\n")}\n\n`);
      await delay(EVERY_MS, null, { signal: stop.signal }).catch(() => {});
      // An agent that is updated is away for a moment.
      await readStatus(folders).then(
        (next) => {
          status = next;
          trouble = null;
        },
        (error: Error) => {
          if (!(error instanceof StatusError) || screen === null) throw error;
          trouble = error.message;
        },
      );
    }
  } finally {
    screen?.close();
  }
}

function optionsOf<Options extends NonNullable<Parameters<typeof parseArgs>[0]>["options"]>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new ConfigError(
      `${error instanceof Error ? error.message : String(error)}\nRun ollama-edge-agent --help for the options.`,
    );
  }
}
