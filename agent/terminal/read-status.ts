/** Reads the status of the agent that runs on this machine, or finds out why it cannot be read. */
import { existsSync, lstatSync } from "node:fs";
import { request } from "node:http";
import { resolve } from "node:path";
import { holderOf } from "../state/lock.ts";
import { LocalStatus } from "../status/local-status.ts";
import { SOCKET_PATH_BYTES_MAX, STATUS_PATH, statusSocketOf } from "../status/status-socket.ts";
import { printable } from "./printable.ts";

/** There is no status. The message states why, and what to do next. */
export class StatusError extends Error {
  override readonly name = "StatusError";
}

const ANSWER_MS = 3_000;
/** Far more than a status has. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Where agents keep their state: in the folder of the start, by systemd, and by the job of macOS. */
const USUAL_FOLDERS = [
  ".state/agent",
  "/var/lib/ollama-edge-agent",
  "/usr/local/var/ollama-edge-agent",
];

/** Returns the state folders of the agents that may run here, the likeliest first. */
export function stateFoldersOf(stateDir: string | undefined): string[] {
  return (stateDir ? [stateDir] : USUAL_FOLDERS).map((folder) => resolve(folder));
}

/**
 * Returns the status of the first agent that runs.
 * @throws {StatusError}
 */
export async function readStatus(folders: readonly string[]): Promise<LocalStatus> {
  const socket = folders.find(hasAgent) ?? folders.find((folder) => existsSync(folder));
  if (socket !== undefined) return statusIn(socket);
  throw new StatusError(
    `No agent runs here: there is no state folder at ${folders.join(", ")}.\n` +
      "Start the agent, or set STATE_DIR to its state folder.",
  );
}

/** A folder that this user may not enter may have one. */
function hasAgent(folder: string): boolean {
  try {
    lstatSync(statusSocketOf(folder));
    return true;
  } catch (error) {
    return codeOf(error) === "EACCES";
  }
}

async function statusIn(folder: string): Promise<LocalStatus> {
  let answer: { status: number; text: string };
  try {
    answer = await answerAt(statusSocketOf(folder));
  } catch (error) {
    throw new StatusError(statusFailureOf(error, folder));
  }
  const status = LocalStatus.safeParse(jsonOf(answer.text));
  if (answer.status === 200 && status.success) return printable(status.data);
  throw new StatusError(
    `The agent in ${folder} answers in a form that this program does not know: one of them is older. ` +
      "Run install.sh again, or use the program that the agent was started with.",
  );
}

function answerAt(socketPath: string): Promise<{ status: number; text: string }> {
  return new Promise((resolvePromise, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const sent = request({ socketPath, path: STATUS_PATH, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES_MAX) response.destroy();
      });
      response.on("close", () => resolvePromise({ status: response.statusCode ?? 0, text }));
      response.on("error", () => {});
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Returns why the socket of the agent with this state folder did not answer, and what to do next. */
export function statusFailureOf(error: unknown, folder: string): string {
  if (Buffer.byteLength(statusSocketOf(folder)) > SOCKET_PATH_BYTES_MAX)
    return `The path of ${folder} is too long for a socket. Set STATE_DIR to a shorter one, for the agent too.`;
  switch (codeOf(error)) {
    case "ENOENT": {
      const pid = holderOf(folder);
      if (pid !== null)
        return (
          `The agent in ${folder} (process ${pid}) has no status socket: it is older than this program, or its log ` +
          "has status_unavailable with the reason. Restart it with this version."
        );
      return `No agent runs in ${folder}.\n${START}`;
    }
    case "ECONNREFUSED":
      return `No agent runs in ${folder}: its last one was killed and left its socket.\n${START}`;
    case "EACCES":
    case "EPERM":
      return `The agent in ${folder} belongs to another user. Run this command as that user, or with sudo.`;
    case "ABORT_ERR":
      return (
        `The agent in ${folder} does not answer within ${ANSWER_MS / 1_000} s: it is suspended or overloaded. ` +
        "Look at its log, or restart it."
      );
    default:
      return `The status of the agent in ${folder} cannot be read: ${(error as Error).message}`;
  }
}

const START =
  "Start it, e.g. systemctl start ollama-edge-agent. If it runs elsewhere, set STATE_DIR to its state folder.";

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
