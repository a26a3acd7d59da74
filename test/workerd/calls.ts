/** Calls to the edge in tests, and what to read from its answers. */
import { env, exports } from "cloudflare:workers";
import type { SystemPoint } from "../../protocol/api/system.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";

export const call = (path: string, init?: RequestInit) =>
  exports.default.fetch(`http://localhost${path}`, init);
export const chat = (box: string, model = "m:1b") =>
  call("/ollama/api/chat", {
    method: "POST",
    headers: { "x-box": box },
    body: JSON.stringify({ model, messages: [] }),
  });
export const logOf = async (id: string | null) =>
  (await aggregatorOf(env).logs({ limit: 1000, offset: 0 })).logs.find((entry) => entry.id === id);

/** Returns the newest bucket with data: a new one may have started a moment ago. */
export const newestOf = (points: readonly SystemPoint[]) =>
  points.findLast(({ gpu_available }) => gpu_available !== null);

/** Not `text()`: the runtime logs a warning for other content types. */
export const textOf = async (answer: Response) =>
  new TextDecoder().decode(await answer.arrayBuffer());

export async function eventually<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
