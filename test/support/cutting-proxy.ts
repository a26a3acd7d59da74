/**
 * A TCP proxy between an agent and its edge that fails as networks do: it cuts connections, if
 * wanted at an exact byte, drops their bytes silently, or delays them.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

/** "Up" is from the side that connects (the agent) to the target (the edge). */
export type Direction = "up" | "down";

type Pair = {
  near: Socket;
  far: Socket;
  /** Directions that are dropped silently: neither bytes nor ends pass. */
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
  /** Connections accepted so far. */
  count = 0;
  /**
   * Delay of every byte, each way, as in a distant network. Later bytes queue behind earlier ones.
   */
  delayMs = 0;
  /** If false, connections are accepted and closed at once. */
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

  /** Returns the bytes that passed in one direction, over all connections. */
  passed(direction: Direction): number {
    return this.#passed[direction];
  }

  /** Cuts every connection without closing it properly on either side. */
  cut(): void {
    for (const { near, far } of this.#pairs)
      for (const socket of [near, far]) socket.resetAndDestroy();
  }

  /**
   * Cuts every connection once this many more bytes have passed in one direction. The next byte
   * does not pass.
   */
  cutAfter(direction: Direction, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#due[direction] = { bytes, cut: resolve };
    });
  }

  /**
   * Makes existing connections half-open: nothing passes any more, and neither side is notified.
   * New connections work, as after a router on the way has lost its state.
   */
  swallow(...directions: Direction[]): void {
    for (const pair of this.#pairs)
      for (const direction of directions) pair.swallowed.add(direction);
  }

  /**
   * Stops all bytes until {@link release}, which then delivers them: a network that is gone for a
   * while.
   */
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
    void this.#pump(pair, from, to, direction).catch(() => {}); // the socket broke, and its close event follows
    from.on("error", () => {});
    from.on("close", () => {
      if (pair.swallowed.has(direction)) return;
      to.destroy();
      this.#pairs.delete(pair);
    });
  }

  async #pump(pair: Pair, from: Socket, to: Socket, direction: Direction): Promise<void> {
    // Not destroyed when one direction ends, because the other may still send.
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
          await new Promise((resolve) => setImmediate(resolve)); // lets the last bytes out before the reset
          this.cut();
          due.cut();
        }
      }
      if (!hasRoom && !to.destroyed) await Promise.race([once(to, "drain"), once(to, "close")]);
    }
    if (!pair.swallowed.has(direction)) to.end();
  }
}
