/**
 * The API as tools of the Model Context Protocol, from the table of routes: a tool is a route with a
 * JSON answer, or with events of which the last one is the result. Its arguments are the parameters of
 * the path, of the query and of the body. Pure.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/server/tools
 */
import type { ApiRoute } from "../../protocol/api/route.ts";
import type { Scope } from "../../protocol/routes.ts";
import { jsonSchemaOf, type Schema } from "./json-schema.ts";

export type ApiTool = {
  name: string;
  title: string;
  description: string;
  inputSchema: Schema & { type: "object" };
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; openWorldHint: false };
};

/** A call of the API. `path` includes the query. */
export type ApiToolRequest = { method: string; path: string; body: string | null };

type Part = "params" | "query" | "body";

/** Returns whether a program may call a route for a model: it gets JSON, and no secret passes. */
const isTool = (route: ApiRoute): boolean =>
  route.scope !== null &&
  (route.answer !== null || route.lastEvent !== undefined) &&
  !(route.method !== "GET" && (route.secrets !== undefined || route.showsSecret === true));

/** Returns the tools of a caller with these scopes. Changes are for those who may administer. */
export const toolsOf = (
  routes: Record<string, ApiRoute>,
  scopes: ReadonlySet<Scope>,
): Record<string, ApiRoute> =>
  Object.fromEntries(
    Object.entries(routes).filter(
      ([, route]) =>
        isTool(route) &&
        (route.scope === "any" || scopes.has(route.scope as Scope)) &&
        (route.method === "GET" || scopes.has("admin")),
    ),
  );

/** Returns a tool with one schema of all its arguments. Their names differ. */
export function toolOf(name: string, route: ApiRoute): ApiTool {
  const { method, summary, description } = route;
  const schemas = Object.values(partsOf(route));
  const inputSchema = {
    type: "object",
    properties: Object.assign({}, ...schemas.map(({ properties }) => properties)),
    required: schemas.flatMap(({ required = [] }) => required),
    additionalProperties: false,
    $defs: Object.assign({}, ...schemas.map(({ $defs }) => $defs)),
  } as const;
  return {
    name,
    title: summary,
    description: description === undefined ? `${summary}.` : `${summary}. ${description}`,
    inputSchema,
    annotations: {
      readOnlyHint: method === "GET",
      destructiveHint: method === "DELETE",
      openWorldHint: false,
    },
  };
}

/**
 * Returns the call of a route with these arguments, or the name of one that its path lacks. The route
 * itself checks the others.
 */
export function toolRequestOf(
  route: ApiRoute,
  given: Record<string, unknown>,
): ApiToolRequest | { lacks: string } {
  const { params, body } = partsOf(route);
  const lacks = params?.required?.find((name) => given[name] === undefined);
  if (lacks !== undefined) return { lacks };
  const isOf = (schema: Schema | undefined, name: string) =>
    Object.hasOwn(schema?.properties ?? {}, name);
  const [query, fields] = [new URLSearchParams(), {} as Record<string, unknown>];
  let { path }: { path: string } = route;
  for (const [name, value] of Object.entries(given)) {
    if (isOf(params, name))
      path = path.replace(`{${name}}`, () => encodeURIComponent(textOf(value)));
    else if (isOf(body, name)) fields[name] = value;
    else query.set(name, textOf(value));
  }
  return {
    method: route.method,
    path: query.size === 0 ? path : `${path}?${query}`,
    body: body === undefined ? null : JSON.stringify(fields),
  };
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

function partsOf(route: ApiRoute): Partial<Record<Part, Schema>> {
  const parts: Partial<Record<Part, Schema>> = {};
  for (const part of ["params", "query", "body"] as const) {
    const schema = route[part];
    if (schema !== undefined) parts[part] = unnamed(jsonSchemaOf(schema, "input"));
  }
  return parts;
}

/** Returns the schema itself in the place of a reference to it. */
function unnamed({ $ref, $defs = {}, ...own }: Schema): Schema {
  const named = $ref === undefined ? {} : $defs[$ref.replace("#/$defs/", "")];
  return { ...named, ...own, $defs };
}
