#!/usr/bin/env node
/**
 * A simulated Ollama: the routes, formats, pace, queues and quirks of a real one, without a model.
 *
 * Tests call the function; `npm start` runs the program if there is no Ollama. It is as lenient as
 * the real one: it matches decoded paths and keys in any case, so a gateway in front of it cannot
 * pass a test by luck. `/_simulated/…` are its control routes, which faults never affect.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isAdmitted } from "./admission.ts";
import { Exchange } from "./exchange.ts";
import { type Fault, FaultPanel } from "./faults.ts";
import type { World } from "./inference.ts";
import { SimulatedLibrary } from "./library.ts";
import { DEFAULT_MODELS } from "./models.ts";
import { dispatch, routesOf } from "./router.ts";
import { Runner } from "./runner.ts";

export type SimulatedOllamaOptions = {
  /** 0 for any free port. */
  port?: number;
  host?: string;
  /** Names of the installed models. */
  models?: readonly string[];
  /**
   * Milliseconds per token of a model of pace 1. With 0 it is as fast as possible, still with one
   * write a line.
   */
  tokenMs?: number;
  /** The same seed generates the same text. */
  seed?: number;
  /** Simulated time of a cold load. */
  loadMsPerGb?: number;
  /** `OLLAMA_NUM_PARALLEL`. */
  slotsPerModel?: number;
};

/**
 * A request as it arrived, for tests. `aborted` means that the caller disconnected before the
 * response was complete.
 */
export type SeenRequest = {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
  aborted: boolean;
};

export type SimulatedOllama = {
  url: string;
  port: number;
  /** In order of arrival, without those to the control routes. */
  requests(): readonly SeenRequest[];
  /** Replaces every fault. An empty list removes them. */
  fault(faults: Fault[]): void;
  /** Stops at once and closes every connection. */
  close(): Promise<void>;
};

export async function startSimulatedOllama(
  options: SimulatedOllamaOptions = {},
): Promise<SimulatedOllama> {
  const {
    port = 0,
    host = "127.0.0.1",
    models = DEFAULT_MODELS,
    tokenMs = 0,
    seed = 1,
    loadMsPerGb = 5,
    slotsPerModel = 4,
  } = options;
  const panel = new FaultPanel();
  const runner = new Runner({ slotsPerModel, loadMsPerGb });
  const world: World = {
    library: new SimulatedLibrary(models),
    runner,
    pace: { tokenMs, seed },
    takeFault: (path, model) => panel.take(path, model),
  };
  const routes = routesOf(panel);
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    void receive(request, response, seen).then(
      (exchange) => exchange && dispatch(exchange, routes, world),
    );
  });
  // Go keeps idle connections. Node's five seconds would race with a caller's connection pool.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  await listen(server, port, host);
  const bound = portOf(server);
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    port: bound,
    requests: () => seen,
    fault: (faults) => panel.set(faults),
    close: () =>
      new Promise((resolve) => {
        runner.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Reads the whole request. Returns null if it was answered here or its caller disconnected. */
async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  seen: SeenRequest[],
): Promise<Exchange | null> {
  const { method = "GET", url = "/", headers } = request;
  const rawPath = url.split("?")[0] ?? "/";
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return null;
  }
  const body = Buffer.concat(chunks);
  const record: SeenRequest = { method, path: url, headers, body, aborted: false };
  if (!rawPath.startsWith("/_simulated/")) seen.push(record);
  response.on("close", () => {
    record.aborted = !response.writableFinished;
  });
  const clean = rawPath.replace(/\/\.?(?=\/)/g, "");
  if (!isAdmitted(headers.host, headers.origin))
    response.writeHead(403, { "content-length": 0 }).end();
  else if (clean !== rawPath)
    response.writeHead(301, { location: clean, "content-length": 0 }).end();
  else return new Exchange(request, response, decoded(rawPath), body);
  return null;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "11434" },
      host: { type: "string", default: "127.0.0.1" },
      models: { type: "string", default: DEFAULT_MODELS.join(",") },
      "token-ms": { type: "string", default: "12" },
      "load-ms-per-gb": { type: "string", default: "300" },
      slots: { type: "string", default: "4" },
      seed: { type: "string", default: "1" },
    },
  });
  const ollama = await startSimulatedOllama({
    port: Number(values.port),
    host: values.host,
    models: values.models.split(","),
    tokenMs: Number(values["token-ms"]),
    loadMsPerGb: Number(values["load-ms-per-gb"]),
    slotsPerModel: Number(values.slots),
    seed: Number(values.seed),
  });
  console.log(`simulated Ollama on ${ollama.url}`);
  const stop = () => void ollama.close().then(() => process.exit(0));
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main();
