/** Shared by the tests of the listener: in each file, one simulated Ollama with a listener in front. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterAll, beforeAll } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { Listening } from "../../../support/listening.ts";

export const MODEL = "llama3.2";
export const EMBEDDER = "nomic-embed-text";
export const messages = [{ role: "user" as const, content: "Hello" }];

export let simulated: SimulatedOllama;
export let listening: Listening;

/** Starts both before the tests of a file, and stops them after. Call it once in a file. */
export function listenForAll(): void {
  beforeAll(async () => {
    simulated = await startSimulatedOllama({
      models: [`${MODEL}:latest`, `${EMBEDDER}:latest`],
      loadMsPerGb: 0,
    });
    listening = await Listening.start(simulated.url);
  });

  afterAll(async () => {
    await listening?.[Symbol.asyncDispose]();
    await simulated?.close();
  });
}

export const post = (path: string, body: object | string, headers: Record<string, string> = {}) =>
  listening.call("POST", path, typeof body === "string" ? body : JSON.stringify(body), headers);
export const lastLine = (text: string): unknown => JSON.parse(text.trim().split("\n").at(-1) ?? "");

/** Runs one test against a scripted Ollama that lists the model `m`. */
export async function inFrontOf(
  answer: RequestListener,
  run: (listening: Listening, server: Server) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    if (request.url === "/api/tags") response.end(JSON.stringify({ models: [{ name: "m" }] }));
    else answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  try {
    await using own = await Listening.start(
      `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    );
    await run(own, server);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
