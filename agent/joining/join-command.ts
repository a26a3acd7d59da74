/** `join` and `leave`: this box becomes a member of an edge, or ends that. */
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { JoinCode } from "../../protocol/joining.ts";
import { configOf } from "../config.ts";
import { ConfigError, JoinError } from "../errors.ts";
import { makeStateFolder } from "../state/folder.ts";
import { joinEdge, leaveEdge } from "./exchange.ts";
import { BoxMembership, newBoxKey } from "./membership.ts";

/** Longest input that is read for a code. */
const INPUT_CHARS_MAX = 1_000;

/**
 * `join <edge> [<code>] [--exit]`.
 * @returns whether to start the agent now
 * @throws {ConfigError} and {JoinError}
 */
export async function joinCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  print: (text: string) => void,
): Promise<boolean> {
  const { values, positionals } = argumentsOf(args);
  const [edge, given, ...more] = positionals;
  if (edge === undefined || more.length > 0)
    throw new ConfigError("Usage: ollama-edge-agent join <address of the edge> [<code>] [--exit]");
  // An earlier membership is replaced.
  const { edgeUrl, box, stateDir } = configOf({ ...environment, EDGE_URL: edge });
  const code = (given ?? (await codeFromInput())).trim();
  if (!JoinCode.safeParse(code).success)
    throw new ConfigError("The join code is not complete: it has 64 characters. Copy it again.");
  try {
    makeStateFolder(stateDir);
  } catch (error) {
    throw new ConfigError(`The state folder ${stateDir} cannot be made (${String(error)}).`);
  }
  const key = newBoxKey();
  const joined = await joinEdge(edgeUrl, { code, box, key }).catch((error: unknown) => {
    throw hasJoined(stateDir, edgeUrl, error) ?? error;
  });
  BoxMembership.keep(stateDir, edgeUrl, key, joined);
  print(`This machine joined ${edgeUrl.origin} as box ${joined.box}.`);
  return values.exit !== true;
}

/**
 * Explains a used code on a machine that is a member already: the line that joins it, which works
 * once, ran again. Null for any other error.
 */
function hasJoined(stateDir: string, { origin }: URL, error: unknown): JoinError | null {
  if (!(error instanceof JoinError && error.code === "join_code_used")) return null;
  const membership = BoxMembership.read(stateDir);
  if (membership?.edge.origin !== origin) return null;
  return new JoinError(
    `This machine has joined ${origin} as box ${membership.box}, and the join code was used. Start the agent without "join".`,
    error.code,
  );
}

/**
 * `leave`.
 * @throws {ConfigError} and {JoinError}
 */
export async function leaveCommand(
  environment: NodeJS.ProcessEnv,
  print: (text: string) => void,
): Promise<void> {
  const { stateDir } = configOf({ EDGE_URL: "http://localhost", STATE_DIR: environment.STATE_DIR });
  const membership = BoxMembership.read(stateDir);
  if (membership === null)
    throw new ConfigError(`This machine has not joined an edge: ${stateDir} has no membership.`);
  try {
    await leaveEdge(membership);
  } catch (error) {
    // The edge has no place for this box any more, so there is nothing to leave.
    if (!(error instanceof JoinError && GONE.has(error.code ?? ""))) throw error;
  }
  BoxMembership.forget(stateDir);
  print(`Box ${membership.box} left ${membership.edge.origin}. Stop its agent if it still runs.`);
}

const GONE: ReadonlySet<string> = new Set([
  "box_removed",
  "certificate_ended",
  "certificate_unknown",
]);

/** @throws {ConfigError} for an option that does not exist */
function argumentsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { exit: { type: "boolean" } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}

/** Reads the code from a terminal, or from a pipe: then it is in no list of processes. */
async function codeFromInput(): Promise<string> {
  const { stdin, stderr } = process;
  const lines = createInterface({ input: stdin, output: stderr, terminal: stdin.isTTY });
  try {
    if (stdin.isTTY) return await lines.question("Join code: ");
    for await (const line of lines) return line.slice(0, INPUT_CHARS_MAX);
    return "";
  } finally {
    lines.close();
  }
}
