/**
 * A proxy between an agent and its Worker that counts WebSocket messages.
 *
 * Messages between the Box and the Workers never use a wire here, but follow from these: the Box
 * forwards one message per run of frames of one stream, and copies each message of a Worker.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { decodeFrames, TUNNEL } from "../../protocol/frames.ts";
import { WebSocketReader } from "./websocket-reader.ts";

export type Counts = {
  /** Messages with frames between the agent and the Box. */
  agent: number;
  /** Messages with frames to the agent. */
  toAgent: number;
  /** Messages between the Box and the Workers. */
  workers: number;
  /** Heartbeats between the agent and the Box: one pair a second for each box. */
  heartbeats: number;
};

export class CountingProxy implements Disposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #counts: Counts = { agent: 0, toAgent: 0, workers: 0, heartbeats: 0 };
  #error: unknown = null;

  constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, "127.0.0.1");
      this.#join(near, far, false);
      this.#join(far, near, true);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  }

  /**
   * Returns the counts since the last call. @throws if the connection carried something other than
   * messages
   */
  take(): Counts {
    if (this.#error !== null) throw this.#error;
    const counts = this.#counts;
    this.#counts = { agent: 0, toAgent: 0, workers: 0, heartbeats: 0 };
    return counts;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket, isToAgent: boolean): void {
    const reader = new WebSocketReader((payload, isBinary) =>
      this.#count(payload, isBinary, isToAgent),
    );
    this.#sockets.add(from.setNoDelay(true));
    from.on("data", (bytes) => {
      to.write(bytes);
      try {
        reader.push(bytes);
      } catch (error) {
        this.#error ??= error;
      }
    });
    from.on("error", () => {});
    from.on("close", () => {
      to.destroy();
      this.#sockets.delete(from);
    });
  }

  #count(payload: Buffer, isBinary: boolean, isToAgent: boolean): void {
    if (!isBinary) {
      this.#counts.heartbeats++;
      return;
    }
    this.#counts.agent++;
    if (isToAgent) this.#counts.toAgent++;
    let last = TUNNEL;
    for (const { stream } of decodeFrames(payload)) {
      if (stream !== TUNNEL && stream !== last) this.#counts.workers++;
      last = stream;
    }
  }
}
