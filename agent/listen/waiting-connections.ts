/**
 * Connections that wait for a next call after an answer. They make room for callers that have one.
 *
 * Node's own `closeIdleConnections` also closes, since Node 26, connections whose first call is still
 * on its way.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** `bytesRead`: at the end of the last answer. More bytes are the beginning of a next call. */
type Connection = { calls: number; bytesRead: number };

export class WaitingConnections {
  readonly #connections = new Map<Socket, Connection>();

  constructor(server: Server) {
    server.on("request", ({ socket }, response) => {
      const connection = this.#of(socket);
      connection.calls += 1;
      response.once("close", () => {
        connection.calls -= 1;
        connection.bytesRead = socket.bytesRead;
      });
    });
  }

  close(): void {
    for (const [socket, { calls, bytesRead }] of this.#connections)
      if (calls === 0 && socket.bytesRead === bytesRead) socket.destroy();
  }

  #of(socket: Socket): Connection {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const connection = { calls: 0, bytesRead: 0 };
    this.#connections.set(socket, connection);
    socket.once("close", () => this.#connections.delete(socket));
    return connection;
  }
}
