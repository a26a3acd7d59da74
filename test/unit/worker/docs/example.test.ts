import { expect, test } from "vitest";
import * as z from "zod";
import type { ApiRoute } from "../../../../protocol/api/route.ts";
import { API_ROUTES } from "../../../../protocol/api/routes.ts";
import { exampleLine, schemaExample } from "../../../../worker/docs/example.ts";
import { openApiOf } from "../../../../worker/docs/openapi.ts";

const document = openApiOf(API_ROUTES, "1");
const { schemas } = document.components;

test.each(
  Object.entries<ApiRoute>(API_ROUTES).flatMap(([id, { body, path, method }]) =>
    body === undefined ? [] : [{ id, body, path, method: method.toLowerCase() }],
  ),
)("the example of the body of $id is accepted", ({ body, path, method }) => {
  const schema =
    document.paths[path]?.[method]?.requestBody?.content["application/json"]?.schema ?? {};
  const { error } = body.safeParse(schemaExample(schema, schemas));
  expect(error && z.prettifyError(error)).toBeUndefined();
});

const lineOf = (path: string, method: string) => {
  const operation = document.paths[path]?.[method];
  if (operation === undefined) throw new Error(`no ${method} ${path}`);
  return exampleLine("https://edge.example", method.toUpperCase(), path, operation, schemas);
};

test("shows a line for a terminal, with the key, the path and the body in place", () => {
  expect(lineOf("/api/stats/current", "get")).toBe(
    `curl 'https://edge.example/api/stats/current' \\\n  -H "Authorization: Bearer $KEY"`,
  );
  expect(lineOf("/api/boxes/{name}", "delete")).toContain(
    "curl -X DELETE 'https://edge.example/api/boxes/atlas'",
  );
  expect(lineOf("/api/models/load", "post")).toMatch(/-d '\{"model":"llama3.2"/);
  // It needs no key.
  expect(lineOf("/api/openapi.json", "get")).not.toContain("Authorization");
});

test("ends the example of a shape that contains itself", () => {
  const Tree = { type: "object", required: ["child"], properties: { child: { $ref: "#/T" } } };
  expect(JSON.stringify(schemaExample(Tree, { T: Tree }))).toMatch(/^(\{"child":)+null\}+$/);
});
