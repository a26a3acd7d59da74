/** The routes of the simulated Ollama, matched as gin matches a path, and its control routes. */
import * as z from "zod";
import { anthropicMessages, refuseAnthropic } from "./anthropic.ts";
import { embed, embeddings, openaiEmbeddings } from "./embeddings.ts";
import type { Exchange } from "./exchange.ts";
import { Fault, type FaultPanel } from "./faults.ts";
import { BadBody } from "./go-json.ts";
import type { World } from "./inference.ts";
import { vramOf } from "./library.ts";
import {
  Blobs,
  copy,
  create,
  openaiModelOf,
  openaiModels,
  ps,
  pullModel,
  push,
  remove,
  show,
  tags,
} from "./management.ts";
import { chat, generateText } from "./native.ts";
import { chatCompletions, completions, refuseOpenai } from "./openai.ts";
import { openaiResponses } from "./responses.ts";
import { transcriptions } from "./transcription.ts";

export const SIMULATED_VERSION = "0.33.0";

export type Handler = (exchange: Exchange, world: World) => void | Promise<void>;
export type Routes = ReadonlyMap<string, Handler>;

/** Answers one request. A caller that disconnects is not an error. */
export async function dispatch(exchange: Exchange, routes: Routes, world: World): Promise<void> {
  const handler =
    routes.get(`${exchange.method} ${exchange.path}`) ??
    routes.get(`${exchange.method} ${patternOf(exchange.path)}`);
  try {
    if (handler !== undefined) return await handler(exchange, world);
    notRouted(exchange, routes);
  } catch (error) {
    if (exchange.signal.aborted) return;
    if (!(error instanceof BadBody)) throw error;
    refuse(exchange, error.message);
  }
}

/** Reports a bad body in the format of the API that the path belongs to. */
function refuse(exchange: Exchange, message: string): void {
  if (exchange.path === "/v1/messages") refuseAnthropic(exchange, message);
  else if (exchange.path.startsWith("/v1/")) refuseOpenai(exchange, message);
  else exchange.fail(400, message);
}

function notRouted(exchange: Exchange, routes: Routes): void {
  const { method, path } = exchange;
  const paths = [path, patternOf(path)];
  const trimmed = path.replace(/\/$/, "");
  if (path.endsWith("/") && routes.has(`${method} ${trimmed}`)) {
    exchange.send(method === "GET" ? 301 : 307, null, "", { location: trimmed });
  } else if (
    [...routes.keys()].some((route) => paths.includes(route.slice(route.indexOf(" ") + 1)))
  ) {
    exchange.send(405, "text/plain", "405 method not allowed");
  } else exchange.send(404, "text/plain", "404 page not found");
}

/** Returns the last segment as the router's parameter. */
const patternOf = (path: string): string =>
  path.replace(/^(\/v1\/models|\/api\/blobs)\/[^/]+$/, "$1/:");

/** Routes by method and path; `:` is the last segment. */
export function routesOf(panel: FaultPanel): Routes {
  const blobs = new Blobs();
  const isRunning: Handler = (exchange) =>
    exchange.send(200, "text/plain; charset=utf-8", "Ollama is running");
  const version: Handler = (exchange) => exchange.json(200, { version: SIMULATED_VERSION });
  const status: Handler = (exchange) =>
    exchange.json(200, { cloud: { disabled: false, source: "none" } });
  return new Map<string, Handler>([
    ["GET /", isRunning],
    ["HEAD /", isRunning],
    ["GET /api/version", version],
    ["HEAD /api/version", version],
    ["GET /api/status", status],
    ["GET /api/tags", tags],
    ["HEAD /api/tags", tags],
    ["GET /api/ps", ps],
    ["POST /api/show", show],
    ["POST /api/chat", chat],
    ["POST /api/generate", generateText],
    ["POST /api/embed", embed],
    ["POST /api/embeddings", embeddings],
    ["POST /api/pull", pullModel],
    ["POST /api/push", push],
    ["POST /api/create", (exchange, world) => create(exchange, world, blobs)],
    ["POST /api/copy", copy],
    ["DELETE /api/delete", remove],
    ["HEAD /api/blobs/:", blobs.head],
    ["POST /api/blobs/:", blobs.create],
    ["POST /v1/chat/completions", chatCompletions],
    ["POST /v1/completions", completions],
    ["POST /v1/embeddings", openaiEmbeddings],
    ["POST /v1/responses", openaiResponses],
    ["POST /v1/audio/transcriptions", transcriptions],
    ["POST /v1/messages", anthropicMessages],
    ["GET /v1/models", openaiModels],
    ["GET /v1/models/:", openaiModelOf],
    ["POST /_simulated/faults", (exchange) => setFaults(exchange, panel)],
    ["GET /_simulated/load", showLoad],
  ]);
}

const FaultList = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue("is not JSON");
      return z.NEVER;
    }
  })
  .pipe(z.array(Fault));

function setFaults(exchange: Exchange, panel: FaultPanel): void {
  const faults = FaultList.safeParse(exchange.body.toString("utf8"));
  if (!faults.success) return exchange.fail(400, z.prettifyError(faults.error));
  panel.set(faults.data);
  exchange.json(200, { faults: faults.data.length });
}

/** Number of requests that makes a simulated GPU look fully busy. */
const BUSY_AT = 3;

/** State of the simulated GPU: load 0..1, now and in the last seconds, and bytes in its memory. */
function showLoad(exchange: Exchange, { runner }: World): void {
  const vram = runner.list().reduce((sum, { model }) => sum + vramOf(model), 0);
  const loadOf = (active: number) => Math.min(1, active / BUSY_AT);
  exchange.json(200, {
    load: loadOf(runner.active),
    changes: runner.activity.map(({ agoMs, active }) => ({ agoMs, load: loadOf(active) })),
    vram_used_bytes: vram,
    models: runner.list().map(({ model }) => ({ name: model.name, vram_bytes: vramOf(model) })),
    active: runner.active,
    waiting: runner.waiting,
  });
}
