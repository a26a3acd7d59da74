/**
 * What is alive in a Node process, or in a Worker's isolate, asked through its inspector: resident memory also counts garbage that
 * nobody has collected yet, and pages that the allocator keeps.
 *
 * @see https://chromedevtools.github.io/devtools-protocol/v8/
 */
import { once } from "node:events";
import { WebSocket } from "ws";
import { z } from "zod";
import { until } from "./stage.ts";

/** A Node process that is started with these variables can be asked. */
export const inspected = (port: number): Record<string, string> => ({
  NODE_OPTIONS: `--inspect=127.0.0.1:${port}`,
});

const Targets = z.tuple([z.object({ webSocketDebuggerUrl: z.url() })]);
const Said = z.object({ id: z.int(), result: z.unknown() });
const HeapUsage = z.object({ usedSize: z.number(), backingStorageSize: z.number() });

export class Heap {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const said = Said.safeParse(JSON.parse(String(data)));
      if (said.success) this.#waiting.get(said.data.id)?.(said.data.result);
    });
  }

  static async of(port: number): Promise<Heap> {
    let url = "";
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
      [{ webSocketDebuggerUrl: url }] = Targets.parse(await answer.json());
      return true;
    }, "the inspector listens");
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new Heap(socket);
  }

  /** Collects what is garbage first. @returns MB of objects, and of buffers */
  async aliveMb(): Promise<number> {
    await this.#ask("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = HeapUsage.parse(
      await this.#ask("Runtime.getHeapUsage"),
    );
    return (usedSize + backingStorageSize) / (1_024 * 1_024);
  }

  close(): void {
    this.#socket.terminate();
  }

  #ask(method: string): Promise<unknown> {
    const id = ++this.#count;
    this.#socket.send(JSON.stringify({ id, method }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
