/**
 * A proxy between an agent and its Worker that counts WebSocket messages.
 *
 * Those between the Box and the Workers never touch a wire here, but follow from these: the Box
 * sends on one message per run of frames of one stream, and copies each message of a Worker.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { decodeFrames, TUNNEL } from "../../protocol/frames.ts";
import { WebSocketReader } from "./websocket-reader.ts";

export type Counts = {
  /** Agent ⇄ Box, with frames in them. */
  agent: number;
  /** Of these, to the agent. */
  toAgent: number;
  /** Box ⇄ Workers. */
  workers: number;
  /** Agent ⇄ Box, heartbeats: one pair a second and box, whatever it does. */
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

  /** What was counted since it was asked last. @throws when something on the wire was no message */
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
