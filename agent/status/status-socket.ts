/**
 * The socket at which a running agent reports its status to a person on the same machine: HTTP on a
 * Unix socket in the state folder, or on a named pipe of Windows.
 *
 * Only the user of the agent and the system's administrator may connect: the folder has mode 0700,
 * and the socket 0600. Windows lets everybody read a pipe, but not write to it, so nothing is sent
 * before a request.
 */
import { createHash } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { Log } from "../log.ts";
import type { LocalStatus } from "./local-status.ts";

export const STATUS_PATH = "/status";

/** Longest path of a Unix socket, bytes: macOS has the lowest limit (`sun_path`). */
export const SOCKET_PATH_BYTES_MAX = 103;

/** Returns the path of the socket of the agent with this state folder. */
export function statusSocketOf(stateDir: string, platform = process.platform): string {
  if (platform !== "win32") return join(stateDir, "agent.sock");
  const name = createHash("sha256").update(stateDir.toLowerCase()).digest("hex").slice(0, 16);
  return `\\\\.\\pipe\\ollama-edge-agent-${name}`;
}

export class StatusSocket {
  readonly #path: string;
  readonly #server: Server;
  readonly #log: Log;

  constructor(stateDir: string, status: () => LocalStatus, log: Log) {
    this.#path = statusSocketOf(stateDir);
    this.#log = log;
    this.#server = createServer((request, response) => {
      const isKnown = request.method === "GET" && request.url === STATUS_PATH;
      response.writeHead(isKnown ? 200 : 404, { "content-type": "application/json" });
      response.end(isKnown ? JSON.stringify(status()) : "{}");
    });
  }

  /**
   * Listens. The state folder must be locked: a socket that an earlier agent left is replaced.
   * A failure is logged, since the agent works without.
   */
  open(): void {
    const fail = (error: Error) =>
      this.#log("warn", "status_unavailable", { path: this.#path, why: error.message });
    this.#server.on("error", fail);
    try {
      if (Buffer.byteLength(this.#path) > SOCKET_PATH_BYTES_MAX)
        throw new Error(`a path of a socket has at most ${SOCKET_PATH_BYTES_MAX} bytes`);
      if (process.platform !== "win32") rmSync(this.#path, { force: true });
      // It is bound when this returns, and nobody is accepted before the next turn of the event loop.
      this.#server.listen(this.#path);
      if (process.platform !== "win32" && this.#server.listening) chmodSync(this.#path, 0o600);
    } catch (error) {
      fail(error as Error);
    }
  }

  /** Removes the socket. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
