/**
 * Describes the API as OpenAPI 3.1, from the table of routes and the schemas that validate it. Pure.
 *
 * @see https://spec.openapis.org/oas/v3.1.1 (its schemas are JSON Schema 2020-12, which zod emits)
 */
import type * as z from "zod";
import type { ApiRoute } from "../../protocol/api/route.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { jsonSchemaOf, type Schema } from "./json-schema.ts";

export type Parameter = {
  name: string;
  in: "path" | "query";
  required: boolean;
  description?: string;
  schema: Schema;
};
type Content = Record<string, { schema?: Schema }>;
export type Operation = {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { required: true; content: Content };
  responses: Record<string, { description: string; content?: Content }>;
};
export type OpenApi = {
  openapi: string;
  info: {
    title: string;
    version: string;
    description: string;
    license: { name: string; identifier: string };
  };
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, object> };
};

const ABOUT = [
  "Statistics and management of Ollama GPU boxes behind one Cloudflare Worker.",
  "Fields ending in _ms are milliseconds, rates are between 0 and 1, and null means unknown.",
  "The native Ollama API is served under /ollama, the OpenAI- and Anthropic-compatible APIs under /v1;",
  "their own documentation applies there.",
  "An API key has scopes: infer; metrics, stats and text, which READ_KEY has together; or admin, which",
  "includes all. A key without the scope text gets logs without prompts and responses.",
].join(" ");

/** A key of any scope is a requirement that names none. */
function securityOf(scope: ApiRoute["scope"]): Operation["security"] {
  if (scope === null) return [];
  const scopes = scope === "any" ? [] : [scope];
  return [{ bearer: scopes }, { apiKey: scopes }];
}

export function openApiOf(routes: Record<string, ApiRoute>, version: string): OpenApi {
  const schemas: Record<string, Schema> = {};
  const schemaOf = (schema: z.ZodType, io: "input" | "output"): Schema => {
    const { $defs = {}, ...own } = inDocument(jsonSchemaOf(schema, io));
    for (const [name, definition] of Object.entries($defs)) schemas[name] = definition;
    return own;
  };
  const error = {
    description: "The error, and who failed",
    content: { "application/json": { schema: schemaOf(ApiError, "output") } },
  };
  const paths: OpenApi["paths"] = {};
  for (const [operationId, route] of Object.entries(routes)) {
    const parameters = [
      ...parametersOf("path", route.params, schemaOf),
      ...parametersOf("query", route.query, schemaOf),
    ];
    const content: Content =
      route.answer === null
        ? {}
        : { "application/json": { schema: schemaOf(route.answer, "output") } };
    for (const [media, description] of Object.entries(route.media ?? {}))
      content[media] = { schema: { description } };
    paths[route.path] ??= {};
    (paths[route.path] as Record<string, Operation>)[route.method.toLowerCase()] = {
      operationId,
      tags: [route.tag],
      summary: route.summary,
      ...(route.description === undefined ? {} : { description: route.description }),
      security: securityOf(route.scope),
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(route.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { "application/json": { schema: schemaOf(route.body, "input") } },
            },
          }),
      responses: { 200: { description: "OK", content }, default: error },
    };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "ollama-edge-serve",
      version,
      description: ABOUT,
      license: { name: "MIT", identifier: "MIT" },
    },
    tags: [...new Set(Object.values(routes).map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
  };
}

function parametersOf(
  place: Parameter["in"],
  schema: z.ZodType | undefined,
  schemaOf: (schema: z.ZodType, io: "input" | "output") => Schema,
): Parameter[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "input");
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

/** Refers to the schemas of the whole document instead of a schema's own. */
const inDocument = (schema: Schema): Schema =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
