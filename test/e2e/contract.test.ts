/** The API against its own description, and against the documentation it promises to keep. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { joinEdge } from "../../agent/joining/exchange.ts";
import { newBoxKey } from "../../agent/joining/membership.ts";
import { ROOT, SIMULATED_SMI } from "../../local/edge.ts";
import type { Child } from "../../local/processes.ts";
import { Logs } from "../../protocol/api/logs.ts";
import type { ApiRoute } from "../../protocol/api/route.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { METRICS } from "../../worker/exposition/metrics.ts";
import { CALLS, type RouteName } from "../support/contract/calls.ts";
import { LEFT_OUT, NOT_HERE, SHAPES } from "../support/contract/contract.ts";
import { rowsOf } from "../support/contract/contract-tables.ts";
import {
  ANSWERS,
  ENDPOINTS,
  EXPOSITION,
  METRIC_NAMES,
  QUERIES,
} from "../support/contract/seed-examples.ts";
import { parseExposition } from "../support/exposition-parser.ts";
import { eventually, NOBODY, TestStack } from "../support/stack.ts";

let stack: TestStack;
let ollama: SimulatedOllama;
let calls = 0;
/** The id of the key, join code or target that was made last. */
let madeId = "";
/** The id of a finished request. */
let loggedId = "";

beforeAll(async () => {
  ollama = await startSimulatedOllama({
    models: ["llama3.2:latest", "mistral:latest"],
    tokenMs: 2,
    loadMsPerGb: 0,
  });
  stack = await TestStack.start({ AUTH_MODE: "open", KEY_PEPPER: "a-pepper-for-the-contract" });
  const env = {
    NVIDIA_SMI: SIMULATED_SMI,
    SIMULATED: "1",
    SIMULATED_OLLAMA: ollama.url,
  };
  await stack.startAgent({ name: "atlas", ollamaUrl: ollama.url, env });
  const gone = await stack.startAgent({ name: "gone", ollamaUrl: ollama.url });
  await gone.stop(5_000);
  for (const model of ["llama3.2", "llama3.2", "mistral", "missing"]) {
    const body = {
      model,
      messages: [{ role: "user", content: "What is machine learning?" }],
      options: { num_predict: 20 },
    };
    await (
      await fetch(`${stack.url}/ollama/api/chat`, { method: "POST", body: JSON.stringify(body) })
    ).text();
    calls++;
  }
  await eventually(async () => (await stack.stats()).total_requests === calls);
  await eventually(
    async () => ((await stack.json("/api/gpu")) as { available: boolean }).available,
  );
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const call = (name: RouteName): Promise<Response> => {
  const { method, path }: ApiRoute = API_ROUTES[name];
  const { path: called = path, body } = CALLS[name];
  return fetch(stack.url + called.replace("{made}", madeId).replace("{logged}", loggedId), {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
};

/** Has a box of this name join, without an agent. */
async function joinAs(box: string): Promise<void> {
  const { code } = (await (await call("makeJoinCode")).json()) as { code: string };
  await joinEdge(new URL(stack.url), { code, box, key: newBoxKey() });
}

/** Starts an agent that joins, and waits until it is connected. */
async function startJoined(name: string): Promise<Child> {
  const { code } = (await (await call("makeJoinCode")).json()) as { code: string };
  const args = ["join", stack.url, code];
  return stack.startAgent({ name, ollamaUrl: NOBODY, args, env: { EDGE_URL: "" } });
}

/** Starts an answer that goes on until it is stopped. Returns its id. */
async function startEndless(): Promise<string> {
  const messages = [{ role: "user", content: "Write a long story" }];
  const body = { model: "llama3.2", messages, options: { num_predict: 1_000_000 } };
  const answer = await fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  void answer.text().catch(() => {});
  return answer.headers.get("x-request-id") ?? "";
}

// These run before the routes that clear the counts.
test.each(Object.entries(ANSWERS))(
  "%s answers with every field of its example, of the same kind",
  async (path, example) => {
    expectLike(JSON.parse(example), await stack.json(path), path);
  },
);

test.each(QUERIES)("%s answers with matching records only", async (path) => {
  const { logs } = (await stack.json(path)) as { logs: { model: string; status: string }[] };
  expect(logs.length).toBeGreaterThan(0);
  for (const log of logs)
    expect(path.includes("model=") ? log.model : log.status).toBe(
      path.includes("model=") ? "llama3.2" : "error",
    );
});

test("the exposition has the lines of its example, except for their numbers, and the four metrics", async () => {
  const text = await (await fetch(`${stack.url}/api/metrics`)).text();
  const lines = new Set(text.split("\n").map(withoutValue));
  const helps = [...lines].filter((line) => line.startsWith("# HELP"));
  for (const line of EXPOSITION.split("\n").filter((line) => line !== "")) {
    // Each help begins with the example's and adds to it.
    if (line.startsWith("# HELP"))
      expect(
        helps.some((help) => help.startsWith(line)),
        line,
      ).toBe(true);
    else expect(lines, line).toContain(withoutValue(line));
  }
  for (const name of METRIC_NAMES)
    expect(Object.values(METRICS).map((family) => family.name)).toContain(name);
  expect(text).toMatch(/^ollama_requests_total \d+\.0$/m);
  expect(parseExposition(text).size).toBe(Object.keys(METRICS).length);
});

test("every documented endpoint is a route", () => {
  const routes = Object.values(API_ROUTES).map(({ method, path }) => `${method} ${path}`);
  expect(routes).toEqual(expect.arrayContaining(ENDPOINTS));
});

test.each(Object.keys(CALLS) as RouteName[])(
  "%s answers as described, with every field of its contract",
  async (name) => {
    const route: ApiRoute = API_ROUTES[name];
    if (name === "stopRequest") madeId = await startEndless();
    if (name === "revokeBox") await joinAs("joined");
    const updated = name === "updateBox" ? await startJoined("updated") : null;
    const answer = await call(name);
    // Calls that may go to any box must not find this one, which has no Ollama.
    await updated?.stop(5_000);
    const text = await answer.text();
    expect(answer.status, text).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const media = answer.headers.get("content-type")?.split(";")[0] ?? "";
    if (route.answer === null) return void expect(Object.keys(route.media ?? {})).toContain(media);
    expect(media).toBe("application/json");
    const value: unknown = JSON.parse(text);
    if (["makeKey", "makeJoinCode", "addTarget"].includes(name))
      madeId = (value as { id: string }).id;
    if (name === "logs") loggedId = Logs.parse(value).logs[0]?.id ?? "";
    const validate = await validatorOf(route);
    expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    for (const field of SHAPES[name as keyof typeof SHAPES] ?? [])
      expect(hasField(value, field.split(".")), field).toBe(true);
  },
);

/** Compiles a validator of the answer from the published document, not from the schema it is made from. */
async function validatorOf({ method, path }: ApiRoute) {
  const document = (await stack.json("/api/openapi.json")) as {
    paths: Record<
      string,
      Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>
    >;
    components: object;
  };
  const schema =
    document.paths[path]?.[method.toLowerCase()]?.responses[200]?.content["application/json"]
      ?.schema;
  if (schema === undefined) throw new Error(`${method} ${path} is not described`);
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  return ajv.compile({ ...schema, components: document.components });
}

/** Expects every field of the example with the same JSON type; in lists, in each element. */
function expectLike(example: unknown, actual: unknown, path: string): void {
  expect(kindOf(actual), path).toBe(kindOf(example));
  if (Array.isArray(example) && Array.isArray(actual)) {
    expect(actual.length, `${path} is not empty`).toBeGreaterThan(0);
    for (const element of actual)
      if (typeof element !== "object" || !isUnmeasured(element))
        expectLike(example[0], element, `${path}[]`);
  } else if (
    typeof example === "object" &&
    example !== null &&
    typeof actual === "object" &&
    actual !== null
  ) {
    for (const [name, value] of Object.entries(example))
      expectLike(value, (actual as Record<string, unknown>)[name], `${path}.${name}`);
  } else if (typeof example === "string" && /^\d{4}-\d\d-\d\dT.*Z$/.test(example))
    expect(actual).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
}

/** Returns whether an element has null where the example has values: an empty bucket, or only errors. */
function isUnmeasured(element: unknown): boolean {
  const { requests, response, error_rate } = element as Record<string, unknown>;
  return requests === 0 || response === null || error_rate === 1;
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
const withoutValue = (line: string): string =>
  line.startsWith("#") ? line : line.slice(0, line.lastIndexOf(" "));

function hasField(value: unknown, [first = "", ...rest]: string[]): boolean {
  const name = first.replace(/\[\]$/, "");
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return false;
  const field = (value as Record<string, unknown>)[name];
  if (!first.endsWith("[]")) return rest.length === 0 || hasField(field, rest);
  // An empty list proves nothing about its elements; other tests make sure that it has some.
  return (
    Array.isArray(field) && field.every((element) => rest.length === 0 || hasField(element, rest))
  );
}

const DOCUMENTS = join(ROOT, "../shared");
const isHere = existsSync(DOCUMENTS);

test.skipIf(!isHere)(
  "the committed examples are those of the documentation, if it is beside the checkout",
  () => {
    const text = readFileSync(join(DOCUMENTS, "mission/monitoring.md"), "utf8");
    for (const example of [...Object.values(ANSWERS), EXPOSITION]) expect(text).toContain(example);
    for (const query of [...Object.keys(ANSWERS), ...QUERIES]) expect(text).toContain(query);
    const written = [...text.matchAll(/^(GET|POST|PUT|DELETE) +(\/api\S+)/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    expect(ENDPOINTS).toEqual(expect.arrayContaining(written));
  },
);

test.skipIf(!isHere)(
  "every endpoint and field of the contract's tables is here, or is left out with a reason",
  () => {
    const text = readFileSync(join(DOCUMENTS, "reference/contract.md"), "utf8");
    const rows = rowsOf(text.slice(text.indexOf("## D1."), text.indexOf("## D3.")));
    expect(rows.length).toBeGreaterThan(30);
    for (const { paths, fields } of rows) {
      const routes = Object.entries(API_ROUTES).filter(([, route]) => paths.includes(route.path));
      if (routes.length === 0) {
        expect(
          paths.some((path) => path in NOT_HERE),
          paths.join(),
        ).toBe(true);
        continue;
      }
      // Without a JSON answer, the fields belong to a request body or to events.
      if (routes.every(([, route]) => route.answer === null)) continue;
      const known = new Set(
        routes.flatMap(([name]) =>
          (SHAPES[name as keyof typeof SHAPES] ?? []).flatMap((shape) => shape.split(/\[?\]?\./)),
        ),
      );
      for (const field of fields) {
        const isLeftOut = routes.some(([name]) => `${name}.${field}` in LEFT_OUT);
        expect(
          isLeftOut || known.has(field) || known.has(`${field}[]`),
          `${paths.join()} ${field}`,
        ).toBe(true);
      }
    }
  },
);
