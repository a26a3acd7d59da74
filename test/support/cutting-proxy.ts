/** A TCP proxy whose connections can be cut: what lies between an agent and its edge. */
import { connect, createServer, type Server, type Socket } from "node:net";

export class CuttingProxy implements AsyncDisposable {
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #server: Server;
  port = 0;
  /** Connections so far. */
  count = 0;
  /** False: connections are taken and dropped at once. */
  isOpen = true;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      if (!this.isOpen) return near.destroy();
      this.count++;
      const far = connect(target, "127.0.0.1");
      const pair: [Socket, Socket] = [near, far];
      this.#pairs.add(pair);
      for (const [from, to] of [pair, [far, near]] as const) {
        from.setNoDelay(true);
        from.pipe(to);
        from.on("error", () => {});
        from.on("close", () => {
          to.destroy();
          this.#pairs.delete(pair);
        });
      }
    });
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

  /** Cuts every connection, without a word to either side. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
