import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import * as z from "zod";
import type { ApiRoute } from "../../../../protocol/api/route.ts";
import { API_ROUTES } from "../../../../protocol/api/routes.ts";
import { CONCERN_CODES } from "../../../../protocol/concerns.ts";
import { type OpenApi, openApiOf } from "../../../../worker/docs/openapi.ts";
import { docsPage } from "../../../../worker/docs/page.ts";

const document = openApiOf(API_ROUTES, "1.2.3");
const operations = (of: OpenApi) =>
  Object.values(of.paths).flatMap((methods) => Object.values(methods));

const ORIGIN = "https://edge.example";

test("the document validates against the schema of OpenAPI 3.1", async () => {
  expect(await new Validator().validate(JSON.stringify(document, null, 1))).toMatchObject({
    valid: true,
  });
});

test("the document has every route of the table once, with its scope", () => {
  expect(
    operations(document)
      .map(({ operationId }) => operationId)
      .sort(),
  ).toEqual(Object.keys(API_ROUTES).sort());
  expect(document.paths["/api/data/all"]?.delete?.security).toEqual([
    { bearer: ["admin"] },
    { apiKey: ["admin"] },
  ]);
  expect(document.paths["/api/openapi.json"]?.get?.security).toEqual([]);
  expect(document.paths["/api/keys/self"]?.get?.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
});

test("every reference points to a shape, and every shape is referenced", () => {
  const referred = new Set(
    [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name,
    ),
  );
  expect([...referred].sort()).toEqual(Object.keys(document.components.schemas));
});

test("describes query parameters with the types, ranges and defaults that are parsed", () => {
  const parameters = document.paths["/api/stats/logs"]?.get?.parameters ?? [];
  expect(parameters.find(({ name }) => name === "limit")).toMatchObject({
    in: "query",
    required: false,
    schema: { type: "integer", minimum: 1, maximum: 1_000 },
  });
  expect(parameters.find(({ name }) => name === "format")?.schema).toMatchObject({
    enum: ["json", "csv", "ndjson"],
    default: "json",
  });
});

test("marks path parameters as required, and lets answers gain fields", () => {
  const route: ApiRoute = {
    method: "GET",
    path: "/api/things/{name}",
    scope: "stats",
    tag: "Things",
    summary: "A thing",
    params: z.object({ name: z.string() }),
    answer: z.object({ a: z.number() }),
  };
  const { paths } = openApiOf({ thing: route }, "1");
  expect(paths["/api/things/{name}"]?.get?.parameters).toMatchObject([
    { name: "name", in: "path", required: true },
  ]);
  expect(JSON.stringify(paths)).not.toContain("additionalProperties");
});

test("the page describes every code of a concern", () => {
  const page = String(docsPage(document, ORIGIN)).replaceAll("&#39;", "'");
  const forms = document.components.schemas.Concern?.oneOf ?? [];
  expect(forms.map(({ properties }) => properties?.code?.const)).toEqual(CONCERN_CODES);
  for (const { description = "" } of forms) expect(page).toContain(description);
});

test("the page lists every route and shape, resolves every link, and escapes all text", () => {
  const page = String(docsPage(document, ORIGIN));
  const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
  for (const id of Object.keys(API_ROUTES)) expect(ids).toContain(id);
  const own = page.replace('<script type="module" src="/assets/docs.js"></script>', "");
  expect(own.replaceAll(ORIGIN, "").replaceAll("https://example.com/hook", "")).not.toMatch(
    /<script|style=|https?:\/\//,
  );
  const canary: ApiRoute = {
    method: "GET",
    path: "/api/x",
    scope: null,
    tag: "<b>t",
    summary: '<img src=x onerror="alert(1)">',
    answer: null,
  };
  expect(String(docsPage(openApiOf({ canary }, "1"), ORIGIN))).not.toContain("<img src=x");
});
