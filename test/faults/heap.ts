/**
 * Live objects in a Node process or a Worker's isolate, read through its inspector. Resident memory
 * also includes uncollected garbage and pages that the allocator keeps.
 *
 * @see https://chromedevtools.github.io/devtools-protocol/v8/
 */
import { once } from "node:events";
import { WebSocket } from "ws";
import * as z from "zod";
import { until } from "./waiting.ts";

/** Variables that start a Node process with an inspector. */
export const inspected = (port: number): Record<string, string> => ({
  NODE_OPTIONS: `--inspect=127.0.0.1:${port}`,
});

const Targets = z.tuple([z.object({ webSocketDebuggerUrl: z.url() })]);
const Message = z.object({ id: z.int(), result: z.unknown() });
const HeapUsage = z.object({ usedSize: z.number(), backingStorageSize: z.number() });

export class Heap {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const message = Message.safeParse(JSON.parse(String(data)));
      if (message.success) this.#waiting.get(message.data.id)?.(message.data.result);
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

  /** Collects garbage first. @returns MB of objects and of buffers */
  async aliveMb(): Promise<number> {
    await this.#send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = HeapUsage.parse(
      await this.#send("Runtime.getHeapUsage"),
    );
    return (usedSize + backingStorageSize) / (1_024 * 1_024);
  }

  close(): void {
    this.#socket.terminate();
  }

  #send(method: string): Promise<unknown> {
    const id = ++this.#count;
    this.#socket.send(JSON.stringify({ id, method }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
