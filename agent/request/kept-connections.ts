/**
 * Connections to Ollama that are kept for the next request. Each serves one at a time.
 *
 * A client of undici is one connection. Its own pool hides whether a connection has served a request before,
 * which decides whether a request that fails may be sent again.
 */
/// <reference path="./undici-client.d.ts" />
import Client from "undici/lib/dispatcher/client.js";

/** As many wait for the next request. */
const FREE_MAX = 64;
/** An idle connection is closed after this long. */
const IDLE_MS = 60_000;
/** Callers end a request that takes too long: a model may load and answer slowly. */
const NEVER = 0;

export class KeptConnection {
  readonly client: Client;
  #served = 0;

  constructor(origin: string, onLost: (connection: KeptConnection) => void) {
    this.client = new Client(origin, {
      connectTimeout: NEVER,
      headersTimeout: NEVER,
      bodyTimeout: NEVER,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
    });
    this.client.on("connect", () => {
      this.#served = 0;
    });
    this.client.on("disconnect", () => onLost(this));
  }

  /** The other end may have closed the connection just as it was used again. */
  get isReused(): boolean {
    return this.#served > 0;
  }

  served(): void {
    this.#served++;
  }

  /** Closes the connection. A request that is on it ends with an error. */
  destroy(): void {
    void this.client.destroy();
  }
}

export class KeptConnections {
  readonly #origin: string;
  #free: KeptConnection[] = [];
  #isClosed = false;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Returns a connection for one request. */
  take(): KeptConnection {
    return this.#free.pop() ?? new KeptConnection(this.#origin, (lost) => this.#forget(lost));
  }

  /** Takes a connection back whose answer was read to its end. */
  give(connection: KeptConnection): void {
    connection.served();
    if (this.#isClosed || this.#free.length >= FREE_MAX) connection.destroy();
    else this.#free.push(connection);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#free.splice(0)) connection.destroy();
  }

  #forget(lost: KeptConnection): void {
    this.#free = this.#free.filter((connection) => connection !== lost);
  }
}
