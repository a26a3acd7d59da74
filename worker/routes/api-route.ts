/**
 * Serves the routes in the table of `/api`. Key, scope, path, query and body are checked against the
 * table, so that no route is open or unchecked by omission.
 */
import type { Context, Hono } from "hono";
import * as z from "zod";
import type { ApiRoute } from "../../protocol/api/route.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { principalOf } from "../auth.ts";
import type { Env } from "../env.ts";
import { badRequest, GatewayError } from "../errors.ts";
import { jsonBodyOf } from "../gateway/call.ts";
import { keysFor } from "../gateway/known-keys.ts";
import { demand, type Principal } from "../principal.ts";
import { settingsOf } from "../settings.ts";
import { audited, authorOf, changeBy, noteRefusal } from "./audited.ts";

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;
type Part<Route extends ApiRoute, Name extends "params" | "query" | "body"> =
  Route extends Record<Name, infer Schema> ? Parsed<Schema> : undefined;

export type ApiCall<Route extends ApiRoute> = {
  principal: Route["scope"] extends null ? null : Principal;
  params: Part<Route, "params">;
  query: Part<Route, "query">;
  body: Part<Route, "body">;
};
type Answer<Route extends ApiRoute> = Route["answer"] extends z.ZodType
  ? z.input<Route["answer"]> | Response
  : Response;

/**
 * @param handle  receives the parsed call; returns the value of the JSON answer, or a whole
 * response
 */
export function serveRoute<Route extends ApiRoute>(
  app: Hono<Env>,
  route: Route,
  handle: (call: ApiCall<Route>, c: Context<Env>) => Promise<Answer<Route>>,
): void {
  app.on(route.method, honoPath(route.path), async (c) => {
    const settings = settingsOf(c.env);
    const principal =
      route.scope === null ? null : await principalOf(c.req.raw, settings, null, keysFor(c));
    const change = "audit" in route ? route.audit : null;
    if (principal !== null && route.scope !== null && route.scope !== "any")
      try {
        demand(principal, route.scope);
      } catch (error) {
        if (change !== null)
          noteRefusal(c, changeBy(authorOf(c, principal), change, c.req.param()));
        throw error;
      }
    const call = {
      principal,
      params: route.params && parsed(route.params, c.req.param()),
      query: parsed(route.query ?? NO_QUERY, queryOf(c.req.url)),
      body: route.body && parsed(route.body, await jsonBodyOf(c.req.raw)),
    } as ApiCall<Route>;
    const make = () => handle(call, c);
    const answer =
      change === null || principal === null
        ? await make()
        : await audited(
            c,
            changeBy(authorOf(c, principal), change, parametersOf(route, call)),
            make,
          );
    const response = answer instanceof Response ? answer : c.json(answer as object);
    if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
    return response;
  });
}

function parametersOf(
  route: ApiRoute,
  { params, query, body }: ApiCall<ApiRoute>,
): Record<string, unknown> {
  const secrets: readonly string[] = ("secrets" in route && route.secrets) || [];
  const all = Object.entries(Object.assign({}, params, query, body));
  return Object.fromEntries(all.filter(([name]) => !secrets.includes(name)));
}

export const EVENT_HEADERS = { "content-type": "text/event-stream; charset=utf-8" };

/** Returns whether the caller takes an answer of server-sent events. */
export const acceptsEvents = (c: Context<Env>): boolean =>
  /\btext\/event-stream\b/.test(c.req.header("accept") ?? "");

/** Returns the methods that a path of `/api` accepts; empty if the path is not in the table. */
export const methodsOf = (rawPath: string): string[] =>
  Object.values(API_ROUTES).flatMap(({ method, path }) =>
    patternOf(path).test(rawPath) ? [method] : [],
  );

const NO_QUERY = z.strictObject({});

/** @throws {GatewayError} `bad_request`, which names each invalid field */
function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) throw badRequest(result.error);
  return result.data;
}

/** Rejects a parameter that occurs twice, since either value could be the intended one. */
function queryOf(url: string): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(query, name))
      throw new GatewayError({
        reason: "bad_request",
        detail: `The query parameter ${JSON.stringify(name)} occurs twice. Send it once.`,
      });
    query[name] = value;
  }
  return query;
}

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ":$1{.+}");
const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, ".+")}$`);
