/**
 * The front of the local edge: it passes bytes between callers and workerd, and passes on at once
 * that a caller has left.
 *
 * workerd notices a closed connection at once, but an orderly hang-up (FIN) only when it writes the
 * next byte. The GPU would work on for a caller that has left during a long prefill or an unstreamed
 * answer. Ollama itself cancels at a FIN, as Go's HTTP server does, so the front closes the whole
 * connection to workerd then. In the other direction, it resets the callers of a workerd that was
 * killed: the system closes its connections in order.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * Time that a caller gets to read a refusal and hang up, while it still sends the body that was
 * refused. Closing at once would reset the connection, and the caller could lose the answer.
 */
const LINGER_MS = 5_000;

export class Front {
  readonly #socket: string;
  readonly #server: Server;
  readonly #callers = new Set<Socket>();

  private constructor(socket: string) {
    this.#socket = socket;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) =>
      this.#serve(caller),
    );
  }

  /**
   * Listens on 127.0.0.1.
   * @param port    0 for any free port
   * @param socket  path of the Unix socket of workerd, where closing is noticed at once
   * @throws if the port cannot be used
   */
  static async listen(port: number, socket: string): Promise<Front> {
    const front = new Front(socket);
    await new Promise<void>((resolve, reject) => {
      front.#server.once("error", reject);
      front.#server.listen(port, "127.0.0.1", () => {
        front.#server.off("error", reject);
        resolve();
      });
    });
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening and resets every connection. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const caller of this.#callers) caller.resetAndDestroy();
    await closed;
  }

  #serve(caller: Socket): void {
    this.#callers.add(caller);
    const worker = connect({ path: this.#socket });
    pass(caller, worker);
    pass(worker, caller);
    caller.on("end", () => {
      worker.destroy();
      caller.end();
    });
    caller.on("error", () => worker.destroy());
    caller.on("close", () => {
      this.#callers.delete(caller);
      worker.destroy();
    });
    worker.on("end", () => void this.#hangUp(caller));
    // A refusal in the middle of an upload ends so, with the rest of the upload unread.
    worker.on("error", () => {
      if (!worker.readableEnded) void this.#hangUp(caller);
    });
    worker.on("close", () => caller.resume());
  }

  /**
   * workerd has closed a connection: in order, after a complete answer, or because it was killed.
   * Then the caller must not take the part that it has for the whole answer.
   */
  async #hangUp(caller: Socket): Promise<void> {
    if (await isServed(this.#socket))
      caller.end(() => caller.setTimeout(LINGER_MS, () => caller.destroy()));
    else caller.resetAndDestroy();
  }
}

/** A server that keeps a connection for this long has not just been killed. */
const ALIVE_MS = 1_000;

/**
 * Returns whether a server answers on the socket. Connecting is not enough: the system closes the
 * sockets of a killed server one after the other.
 */
const isServed = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ path: socket });
    const found = (isThere: boolean) => {
      resolve(isThere);
      probe.destroy();
    };
    for (const event of ["error", "end", "close"]) probe.once(event, () => found(false));
    probe.once("data", () => found(true)).setTimeout(ALIVE_MS, () => found(true));
    probe.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  });

/** Passes bytes on, no faster than the other end takes them. Bytes for a closed end are dropped. */
function pass(from: Socket, to: Socket): void {
  from.on("data", (bytes) => {
    if (!to.writable || to.write(bytes)) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
}
