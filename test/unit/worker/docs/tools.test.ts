import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { API_ROUTES } from "../../../../protocol/api/routes.ts";
import type { Scope } from "../../../../protocol/routes.ts";
import { toolOf, toolRequestOf, toolsOf } from "../../../../worker/docs/tools.ts";

const ALL: ReadonlySet<Scope> = new Set(["infer", "metrics", "stats", "text", "models", "admin"]);
const namesFor = (...scopes: Scope[]) => Object.keys(toolsOf(API_ROUTES, new Set(scopes)));
const tools = Object.entries(toolsOf(API_ROUTES, ALL));

test("a reader gets tools that read, and only an administrator those that change something", () => {
  expect(namesFor("infer")).toEqual(["ownCosts", "ownKey"]);
  expect(namesFor("stats")).toEqual(expect.arrayContaining(["health", "logs", "costs"]));
  expect(namesFor("stats", "models")).toEqual(namesFor("stats"));
  expect(namesFor("infer", "stats", "text", "models")).not.toContain("pullModel");
  expect(namesFor("stats")).not.toContain("unloadModel");
  expect(namesFor(...ALL)).toEqual(
    expect.arrayContaining([
      "unloadModel",
      "revokeKey",
      "patchConfig",
      "audit",
      "pullModel",
      "benchBox",
    ]),
  );
});

test.each(["makeKey", "rotateKey", "makeJoinCode", "addTarget", "signIn", "metrics", "chat"])(
  "%s is no tool: it passes a secret, or has no JSON answer",
  (name) => {
    expect(Object.keys(API_ROUTES)).toContain(name);
    expect(namesFor(...ALL)).not.toContain(name);
  },
);

test.each(tools)("%s has a valid schema, whose arguments have one name each", (name, route) => {
  const { inputSchema, description, annotations } = toolOf(name, route);
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  expect(ajv.compile(inputSchema)).toBeTypeOf("function");
  const names = [route.params, route.query, route.body].flatMap((schema) =>
    Object.keys((schema as { shape?: object } | undefined)?.shape ?? {}),
  );
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(inputSchema.properties ?? {})).toEqual(expect.arrayContaining(names));
  expect(description?.startsWith(`${route.summary}.`)).toBe(true);
  expect(annotations?.readOnlyHint).toBe(route.method === "GET");
});

test("arguments go where the route has them", () => {
  expect(toolRequestOf(API_ROUTES.logs, { limit: 5, status: "error", q: "a b&c" })).toEqual({
    method: "GET",
    path: "/api/stats/logs?limit=5&status=error&q=a+b%26c",
    body: null,
  });
  expect(
    toolRequestOf(API_ROUTES.deleteModel, { name: "hf.co/user/model:Q4_K_M", box: "atlas" }),
  ).toEqual({
    method: "DELETE",
    path: "/api/ollama/models/hf.co%2Fuser%2Fmodel%3AQ4_K_M?box=atlas",
    body: null,
  });
  expect(toolRequestOf(API_ROUTES.changeKey, { id: "k1", name: "$& Ada", limits: null })).toEqual({
    method: "PATCH",
    path: "/api/keys/k1",
    body: JSON.stringify({ name: "$& Ada", limits: null }),
  });
  expect(toolRequestOf(API_ROUTES.forgetBox, {})).toEqual({ lacks: "name" });
});
