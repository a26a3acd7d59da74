/** An example of a call: its body, and the line for a terminal. Made from the schemas. Pure. */
import type { Schema } from "./json-schema.ts";
import type { OpenApi, Operation, Parameter } from "./openapi.ts";

type Schemas = OpenApi["components"]["schemas"];

/** Schemas may refer to themselves. */
const DEPTH_MAX = 6;

const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-11-27",
  "date-time": "2026-11-27T15:00:00Z",
  uuid: "01a2186d-0363-76b2-99ab-b3b032083d9b",
  uri: "https://example.com/hook",
};
/** Names that a reader knows. */
const NAMES: Readonly<Record<string, string>> = {
  model: "llama3.2",
  model_name: "llama3.2",
  name: "atlas",
  box: "atlas",
  currency: "EUR",
  prompt: "Why is the sky blue?",
  content: "Why is the sky blue?",
  id: "01a2186d-0363-76b2-99ab-b3b032083d9b",
};

/** The hours of a whole day. */
const NUMBERS: Readonly<Record<string, number>> = { from: 0, to: 24 };

/** Returns a value that the schema allows, with its required fields. */
export function schemaExample(schema: Schema, schemas: Schemas, name = "", depth = 0): unknown {
  if (depth > DEPTH_MAX) return null;
  const inner = (one: Schema, field = name) => schemaExample(one, schemas, field, depth + 1);
  if (schema.$ref !== undefined) {
    const found = schemas[schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)];
    return found === undefined ? null : inner(found);
  }
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const [form] = schema.anyOf ?? schema.oneOf ?? [];
  if (form !== undefined) return inner(form);
  const type = [schema.type ?? []].flat()[0];
  if (schema.properties !== undefined || type === "object") {
    const { properties = {}, required = [] } = schema;
    const all = Object.keys(properties);
    // A change names at least one field.
    const shown = required.length > 0 ? required : all.slice(0, 1);
    return Object.fromEntries(shown.map((each) => [each, inner(properties[each] ?? {}, each)]));
  }
  if (type === "array") return [inner(schema.items ?? {})];
  if (type === "integer" || type === "number") return NUMBERS[name] ?? lowestOf(schema);
  if (type === "boolean") return true;
  return FORMATS[String(schema.format)] ?? NAMES[name] ?? "text";
}

const lowestOf = ({ minimum }: Schema): number =>
  typeof minimum === "number" && minimum > 0 ? minimum : 1;

/** Returns a line for a terminal. @param origin  such as `https://edge.example` */
export function exampleLine(
  origin: string,
  method: string,
  path: string,
  { parameters = [], requestBody, security }: Operation,
  schemas: Schemas,
): string {
  const textIn = ({ name, schema }: Parameter) =>
    encodeURIComponent(String(schemaExample(schema, schemas, name)));
  const inPath = new Map(parameters.filter(isInPath).map((each) => [each.name, textIn(each)]));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => inPath.get(name) ?? name);
  const query = parameters
    .filter((each) => !isInPath(each) && each.required)
    .map((each) => `${each.name}=${textIn(each)}`)
    .join("&");
  const body = requestBody?.content["application/json"]?.schema;
  const url = `${origin}${filled}${query === "" ? "" : `?${query}`}`;
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}'${url}'`,
    ...(security.length === 0 ? [] : [`-H "Authorization: Bearer $KEY"`]),
    ...(body === undefined
      ? []
      : [
          "-H 'content-type: application/json'",
          `-d '${JSON.stringify(schemaExample(body, schemas)).replaceAll("'", "'\\''")}'`,
        ]),
  ].join(" \\\n  ");
}

const isInPath = ({ in: place }: Parameter): boolean => place === "path";
