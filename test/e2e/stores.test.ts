/**
 * End to end: a request through the Worker reaches both stores, is shown, read back and cleared.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cleared } from "../../protocol/api/data.ts";
import { RepositoryEntry } from "../../protocol/api/repository.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { type Engines, RunningEngines } from "../support/engines/engines.ts";
import { runProgram } from "../support/engines/programs.ts";
import { eventually, TestStack } from "../support/stack.ts";

const engines = new RunningEngines();
let started: Engines;
let stack: TestStack;
let ollama: SimulatedOllama;

const run = (program: string, environment = started.settings) => runProgram(program, environment);

beforeAll(async () => {
  started = await engines.start();
  ollama = await startSimulatedOllama({ models: ["llama3.2:latest"], tokenMs: 1, loadMsPerGb: 0 });
  stack = await TestStack.start({
    AUTH_MODE: "open",
    METRICS_EXPORT_INTERVAL: "1",
    ...started.settings,
  });
  await stack.startAgent({ name: "box", ollamaUrl: ollama.url });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
  await engines[Symbol.asyncDispose]();
});

const chat = async () => {
  const body = {
    model: "llama3.2",
    messages: [{ role: "user", content: "canary-prompt" }],
    options: { num_predict: 3 },
  };
  const answer = await fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  await answer.text();
  return answer.headers.get("x-request-id") ?? "";
};

const sinks = async () => (await stack.health()).sinks;
const areAll = async (state: "ok" | "failing", backlog: number) =>
  (await sinks()).every((sink) => sink.state === state && sink.backlog === backlog);

test("without tables health shows the command to run; after it everything arrives, even if the edge crashed", async () => {
  await stack.record(await chat());
  await eventually(async () =>
    (await sinks()).every(({ state, backlog }) => state === "failing" && backlog > 0),
  );
  const { status, problems } = await stack.health();
  expect(status).toBe("degraded");
  for (const name of ["clickhouse", "postgres"])
    expect(problems).toContainEqual(
      expect.stringMatching(`^${name} has no .*run npm run migrate.*1 unsent record`),
    );
  expect(await run("check-stores.ts")).toMatchObject({
    status: 1,
    output: expect.stringContaining("run npm run migrate"),
  });
  await stack.killEdge();
  expect(await run("migrate.ts")).toEqual({
    status: 0,
    output: "clickhouse: the tables are up to date\npostgres: the tables are up to date\n",
  });
  await stack.startEdge();
  await eventually(
    () => areAll("ok", 0),
    () => JSON.stringify(stack.folder),
  );
  expect(
    (await sinks()).map(({ sink, delivered, last_success }) => [
      sink,
      delivered,
      last_success !== null,
    ]),
  ).toEqual([
    ["clickhouse", 1, true],
    ["postgres", 1, true],
  ]);
});

test("the check of the stores passes and leaves nothing behind", async () => {
  const { status, output } = await run("check-stores.ts");
  expect(output).toMatch(
    /^clickhouse: writes, reads and deletes correctly, in \d+ ms\npostgres: writes, reads and deletes correctly, in \d+ ms\n$/,
  );
  expect(status).toBe(0);
});

test.each([
  ["no store", {}, /No external store is configured/],
  [
    "a wrong password",
    { CLICKHOUSE_PASSWORD: "canary-other" },
    /clickhouse does not accept this user and password/,
  ],
  ["an invalid address", { DATABASE_URL: "canary" }, /DATABASE_URL is not a URL/],
  [
    "an unreachable store",
    { CLICKHOUSE_URL: "http://127.0.0.1:9" },
    /clickhouse cannot be reached/,
  ],
])(
  "with %s the programs report the reason and exit with 1",
  async (description, environment, message) => {
    const settings = description === "no store" ? {} : { ...started.settings, ...environment };
    const ended = await run("check-stores.ts", settings);
    expect(ended).toMatchObject({ status: 1, output: expect.stringMatching(message) });
    expect(ended.output).not.toMatch(/canary|127\.0\.0\.1/);
  },
);

test("no answer, metric or log contains a password, an address or a prompt while a store fails", async () => {
  await fetch(`${started.clickhouseUrl}/faults`, {
    method: "POST",
    body: JSON.stringify([{ match: "INSERT INTO requests", times: 1, code: "516" }]),
  });
  await fetch(`${started.neonUrl}/faults`, {
    method: "POST",
    body: JSON.stringify([{ match: "INSERT INTO request_logs", times: 1, drop: "before" }]),
  });
  await chat();
  await eventually(async () =>
    (await sinks()).every(({ last_error }) => !last_error?.message.includes("migrate")),
  );
  await eventually(() => areAll("ok", 0));
  const pages = ["/api/health", "/api/metrics", "/api/config", "/api/data/summary"];
  const shown = await Promise.all(
    pages.map(async (path) => (await fetch(stack.url + path)).text()),
  );
  expect(shown.join()).not.toMatch(/canary/);
  expect(shown[1]).toMatch(/ollama_sink_backlog_records\{sink="clickhouse"\} 0.0\n/);
  expect(shown[1]).toMatch(/ollama_sink_delivered_records_total\{sink="postgres"\} 2.0\n/);
});

test("history that the edge no longer keeps comes from ClickHouse", async () => {
  const answer = await stack.json("/api/stats/history?time_range=365d&box=box");
  expect(answer).toMatchObject({ store: "clickhouse", granularity: "1d" });
  const { metrics } = answer as { metrics: { requests: number }[] };
  expect(metrics.reduce((sum, { requests }) => sum + requests, 0)).toBe(2);
  expect(await stack.json("/api/stats/history?time_range=90d")).toMatchObject({
    store: "durable_object",
  });
});

test("a pull is counted in Postgres, even one made while it was down", async () => {
  const pull = async () => {
    const answer = await fetch(`${stack.url}/api/ollama/pull`, {
      method: "POST",
      body: JSON.stringify({ name: "phi3" }),
    });
    expect(await answer.text()).toContain('"status":"success"');
  };
  // Not `stack.json`: until the pull is counted, the answer is a 404.
  const entry = async (): Promise<unknown> =>
    (await fetch(`${stack.url}/api/models/repository/phi3`)).json();
  await pull();
  await eventually(async () => RepositoryEntry.safeParse(await entry()).data?.download_count === 1);
  expect(await entry()).toMatchObject({
    model_name: "phi3",
    store: "postgres",
    problem: null,
    is_installed: true,
  });
  const postgres = (faults: object[]) =>
    fetch(`${started.neonUrl}/faults`, { method: "POST", body: JSON.stringify(faults) });
  await postgres([{ times: 1_000, status: 503 }]);
  await pull();
  await eventually(async () => RepositoryEntry.safeParse(await entry()).data?.download_count === 2);
  expect(await entry()).toMatchObject({
    store: "durable_object",
    problem: expect.stringContaining("postgres answered HTTP 503"),
  });
  await postgres([]);
  expect(await entry()).toMatchObject({ store: "postgres", problem: null, download_count: 2 });
  await eventually(() => areAll("ok", 0));
});

test("clearing also clears the stores and reports the rows of each", async () => {
  const cleared = Cleared.parse(await stack.json("/api/data/all", { method: "DELETE" }));
  expect(
    cleared.stores.map(({ store, logs_deleted, error }) => [store, logs_deleted, error]),
  ).toEqual([
    ["durable_object", 4, null],
    ["clickhouse", 4, null],
    ["postgres", 4, null],
  ]);
  expect(await stack.json("/api/stats/logs")).toMatchObject({
    store: "durable_object",
    logs: [],
    total: 0,
  });
  // The choices that people made about models are not data of requests.
  expect(await stack.json("/api/models/repository")).toMatchObject({
    store: "postgres",
    total: 1,
    models: [{ download_count: 2 }],
  });
});
