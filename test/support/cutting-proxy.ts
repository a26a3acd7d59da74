/**
 * A TCP proxy that does to its connections what networks do: cuts them, at a byte if wanted, swallows
 * what they carry without a word, holds it up. What lies between an agent and its edge.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

/** Up: from whoever dials (the agent) to the target (the edge). */
export type Direction = "up" | "down";

type Pair = {
  near: Socket;
  far: Socket;
  /** What is not passed on any more: neither bytes nor ends. */
  swallowed: Set<Direction>;
};

export class CuttingProxy implements AsyncDisposable {
  readonly #pairs = new Set<Pair>();
  readonly #server: Server;
  readonly #due: Record<Direction, { bytes: number; cut: () => void } | null> = {
    up: null,
    down: null,
  };
  readonly #passed: Record<Direction, number> = { up: 0, down: 0 };
  readonly #held = new Set<() => void>();
  #isHeld = false;
  target: number;
  port = 0;
  /** Connections so far. */
  count = 0;
  /** How long everything is on its way, each way: a network that is far. What comes meanwhile waits for it. */
  delayMs = 0;
  /** False: connections are taken and dropped at once. */
  isOpen = true;

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  static async start(target: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    const address = proxy.#server.address();
    if (address !== null && typeof address !== "string") proxy.port = address.port;
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Bytes that went through in a direction, over all connections. */
  passed(direction: Direction): number {
    return this.#passed[direction];
  }

  /** Cuts every connection, without a word to either side. */
  cut(): void {
    for (const { near, far } of this.#pairs)
      for (const socket of [near, far]) socket.resetAndDestroy();
  }

  /** Cuts every connection once so many more bytes have passed in that direction: those pass, the next do not. */
  cutAfter(direction: Direction, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#due[direction] = { bytes, cut: resolve };
    });
  }

  /**
   * Half-open: from now on nothing of the connections that stand arrives any more, and nobody is told.
   * New ones work, as when a router on the way has forgotten the old ones.
   */
  swallow(...directions: Direction[]): void {
    for (const pair of this.#pairs)
      for (const direction of directions) pair.swallowed.add(direction);
  }

  /** Nothing arrives until {@link release}; then all of it does: a network that is gone for a while. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const go of this.#held) go();
    this.#held.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    if (!this.isOpen) return void near.destroy();
    this.count++;
    const far = connect(this.target, "127.0.0.1");
    const pair: Pair = { near, far, swallowed: new Set() };
    this.#pairs.add(pair);
    this.#carry(pair, near, far, "up");
    this.#carry(pair, far, near, "down");
  }

  #carry(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.setNoDelay(true);
    void this.#pump(pair, from, to, direction).catch(() => {}); // a socket that broke; its close follows
    from.on("error", () => {});
    from.on("close", () => {
      if (pair.swallowed.has(direction)) return;
      to.destroy();
      this.#pairs.delete(pair);
    });
  }

  async #pump(pair: Pair, from: Socket, to: Socket, direction: Direction): Promise<void> {
    // Not destroyed at its end: the other direction may have something to say.
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (this.#isHeld) await new Promise<void>((resolve) => this.#held.add(resolve));
      if (this.delayMs > 0) await setTimeout(this.delayMs);
      if (pair.swallowed.has(direction)) continue;
      const due = this.#due[direction];
      const bytes = due === null ? chunk : chunk.subarray(0, due.bytes);
      this.#passed[direction] += bytes.length;
      const hasRoom = to.write(bytes);
      if (due !== null) {
        due.bytes -= bytes.length;
        if (bytes.length < chunk.length || due.bytes === 0) {
          this.#due[direction] = null;
          await new Promise((resolve) => setImmediate(resolve)); // the last bytes leave before the reset
          this.cut();
          due.cut();
        }
      }
      if (!hasRoom && !to.destroyed) await Promise.race([once(to, "drain"), once(to, "close")]);
    }
    if (!pair.swallowed.has(direction)) to.end();
  }
}
