/**
 * `/mcp`: the API for models, by the Model Context Protocol. Its tools are the routes of `/api` that the
 * caller's key admits. A tool is a call of `/api` with the headers of this one, so keys, limits and the
 * audit log treat both alike.
 *
 * It keeps no session and sends nothing on its own, so a message is one POST with one JSON answer, or with
 * the progress of a task before it. The
 * official server does the same in 40 ms of CPU for each isolate that starts, called or not.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
 */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { principalOf } from "../auth.ts";
import { toolOf, toolRequestOf, toolsOf } from "../docs/tools.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { jsonBodyOf } from "../gateway/call.ts";
import { keysFor } from "../gateway/known-keys.ts";
import { settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";
import { taskAnswer } from "./mcp-task.ts";

/** Revisions of the protocol in which tools are the same, newest first. */
const REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

const ABOUT =
  "Reads and changes an edge that serves Ollama on GPU boxes. Begin with health, then live. Fields ending in _ms " +
  "are milliseconds, rates are between 0 and 1, and null means unknown.";

/** Headers of this call that describe its own body, or what its answer may be. */
const OWN_HEADERS = ["accept", "content-encoding", "content-length", "content-type"];

/** A message of JSON-RPC 2.0: a notification without an id; an answer, to nothing, without a method. */
const Message = z.looseObject({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).default({}),
});
const Hello = z.object({ protocolVersion: z.string() });
const Call = z.object({
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()).default({}),
  _meta: z.object({ progressToken: z.union([z.string(), z.number()]).optional() }).default({}),
});

/** Codes of JSON-RPC. */
const CODES = { invalid_request: -32_600, no_method: -32_601, invalid_params: -32_602 } as const;

class RpcError extends Error {
  readonly code: number;

  constructor(reason: keyof typeof CODES, message: string) {
    super(message);
    this.code = CODES[reason];
  }
}

/** Returns the result, or a whole response. */
type Method = (params: Record<string, unknown>) => object | Promise<object | Response>;

/** @param callApi  answers a call of `/api` on this edge */
export function mcpRoutes(
  callApi: (request: Request, c: Context<Env>) => Promise<Response>,
): Hono<Env> {
  const routes = new Hono<Env>();
  routes.post("/mcp", async (c) => {
    const { scopes } = await principalOf(c.req.raw, settingsOf(c.env), null, keysFor(c));
    const message = Message.safeParse(await jsonBodyOf(c.req.raw));
    const { id = null, method, params } = message.data ?? {};
    // Notifications and answers need no answer of ours.
    if (message.success && (id === null || method === undefined)) return c.body(null, 202);
    const failed = (code: number, text: string, status: 200 | 400) =>
      c.json({ jsonrpc: "2.0", id, error: { code, message: text } }, status);
    try {
      checkRevision(c.req.header("mcp-protocol-version"));
      if (!message.success)
        throw new RpcError("invalid_request", `no JSON-RPC: ${z.prettifyError(message.error)}`);
      const call = { id, callApi: (request: Request) => callApi(request, c), from: c.req.raw };
      const answering = methodsFor(scopes, call)[method ?? ""];
      if (answering === undefined) throw new RpcError("no_method", `no method ${method}`);
      const result = await answering(params ?? {});
      return result instanceof Response ? result : c.json({ jsonrpc: "2.0", id, result });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return failed(error.code, error.message, error.code === CODES.invalid_request ? 400 : 200);
    }
  });
  // A client may try to listen for messages, and go on without.
  routes.all("/mcp", (c) => {
    throw new GatewayError({
      reason: "wrong_method",
      method: c.req.method,
      path: "/mcp",
      allow: ["POST"],
    });
  });
  return routes;
}

/** A client without the header is of a revision that has none. */
function checkRevision(wanted: string | undefined): void {
  if (wanted !== undefined && !REVISIONS.some((revision) => revision === wanted))
    throw new RpcError(
      "invalid_request",
      `revision ${wanted.slice(0, 50)} is not one of ${REVISIONS.join(", ")}`,
    );
}

type Called = {
  id: string | number | null;
  callApi: (request: Request) => Promise<Response>;
  from: Request;
};

function methodsFor(
  scopes: Parameters<typeof toolsOf>[1],
  { id, callApi, from }: Called,
): Partial<Record<string, Method>> {
  const tools = toolsOf(API_ROUTES, scopes);
  return {
    initialize: (params) => {
      const { protocolVersion } = parsed(Hello, params);
      return {
        protocolVersion: REVISIONS.find((each) => each === protocolVersion) ?? REVISIONS[0],
        capabilities: { tools: {} },
        serverInfo: { name: "ollama-edge-serve", version: VERSION },
        instructions: ABOUT,
      };
    },
    ping: () => ({}),
    "tools/list": () => ({
      tools: Object.entries(tools).map(([name, route]) => toolOf(name, route)),
    }),
    "tools/call": async (params) => {
      const { name, arguments: given, _meta } = parsed(Call, params);
      const route = Object.hasOwn(tools, name) ? tools[name] : undefined;
      if (route === undefined) throw new RpcError("invalid_params", `no tool ${name}`);
      const request = toolRequestOf(route, given);
      if ("lacks" in request)
        throw new RpcError("invalid_params", `${name} lacks the argument ${request.lacks}`);
      const { method, path, body } = request;
      const headers = new Headers(from.headers);
      for (const own of OWN_HEADERS) headers.delete(own);
      if (body !== null) headers.set("content-type", "application/json");
      const { signal } = from;
      const url = new URL(path, from.url);
      const answer = await callApi(new Request(url, { method, headers, body, signal }));
      if (answer.ok && route.lastEvent !== undefined)
        return taskAnswer(answer, route.lastEvent, { id, token: _meta.progressToken ?? null });
      return { content: [{ type: "text", text: await answer.text() }], isError: !answer.ok };
    },
  };
}

function parsed<Schema extends z.ZodType>(schema: Schema, params: unknown): z.output<Schema> {
  const result = schema.safeParse(params);
  if (!result.success) throw new RpcError("invalid_params", z.prettifyError(result.error));
  return result.data;
}
