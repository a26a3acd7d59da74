/** The bench of a box in the real runtime, with scripted boxes. */
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Bench, BenchEvent } from "../../protocol/api/bench.ts";
import { FrameType, jsonBytes } from "../../protocol/frames.ts";
import { BENCH_RUNS_MAX } from "../../worker/aggregator/bench-runs.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { benchResultOf, benchRunOf } from "../support/bench-results.ts";
import { textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { bearer, CALLER, call, READ } from "./keyed-edge.ts";
import { errorOf } from "./ollama-calls.ts";

const RUNS_BENCH = { runs_bench: true };
const MODEL = "llama3.2:3b";

const start = (box: string, body: object = { model: MODEL }): Promise<Response> =>
  exports.default.fetch(`http://localhost/api/boxes/${box}/bench`, {
    method: "POST",
    body: JSON.stringify(body),
  });

const list = async (query: string) =>
  Bench.parse(await (await exports.default.fetch(`http://localhost/api/bench?${query}`)).json());

const eventsOf = async (answer: Response): Promise<BenchEvent[]> =>
  [...(await textOf(answer)).matchAll(/^data: (.*)$/gm)].map(([, json]) =>
    BenchEvent.parse(JSON.parse(json ?? "")),
  );

const linesOf = (...lines: object[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join("");

test("passes on the progress of the box, and keeps the result before it reports it", async () => {
  await using box = await FakeBox.connect("bench-one", [MODEL], RUNS_BENCH);
  const answered = start(box.name);
  const { open, stream, body } = await box.next();
  expect(open).toMatchObject({ method: "POST", path: "/bench", endpoint: "/bench", model: MODEL });
  expect(open.seal).toBeDefined();
  // The defaults are those of the edge, so that runs of all agents can be compared.
  expect(body).toEqual({
    model: MODEL,
    contexts: [128, 1_024, 3_072],
    output_tokens: 128,
    repeats: 3,
    reload: false,
    wait_s: 60,
  });
  const waiting = { state: "waiting", for: "1 other request is open", left_ms: 60_000 } as const;
  const running = { state: "running", step: "load", context: null, done: 0, of: 13 } as const;
  // It claims to be another box, and not to be simulated.
  const result = { ...benchResultOf(), box: "atlas", simulated: true, id: "mine" };
  box.agent.answer(
    stream,
    200,
    [["content-type", "application/x-ndjson"]],
    linesOf(waiting, running, { state: "done", result }),
  );
  const answer = await answered;
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const run = { ...benchResultOf(), id: stream, box: box.name, simulated: false };
  expect(await eventsOf(answer)).toEqual([waiting, running, { state: "done", run }]);
  expect((await list(`box=${box.name}`)).runs).toEqual([
    {
      ...run,
      previous_id: null,
      points: run.points.map((point) => ({ ...point, change: null })),
    },
  ]);
});

test.each([
  {
    what: "an error of the box",
    body: linesOf({ error: "Ollama: out of memory" }),
    error: "Ollama: out of memory",
  },
  {
    what: "a line of another kind",
    body: "<html>\n",
    error: "The box sent a line that is not part of a bench.",
  },
  {
    what: "impossible figures",
    body: linesOf({ state: "done", result: benchResultOf({ duration_ms: -1 }) }),
    error: "The box sent a line that is not part of a bench.",
  },
  { what: "an end without a result", body: "", error: "The box ended the bench without a result." },
])("ends with $what, and keeps nothing", async ({ what, body, error }) => {
  await using box = await FakeBox.connect(`bench-${what.replaceAll(" ", "-")}`, [], RUNS_BENCH);
  const answered = start(box.name);
  await box.answer({ status: 200, body });
  expect(await eventsOf(await answered)).toEqual([{ state: "failed", error }]);
  expect((await list(`box=${box.name}`)).runs).toEqual([]);
});

test("refuses a box whose agent is too old, before it sends anything", async () => {
  await using box = await FakeBox.connect("bench-old", [MODEL]);
  expect(await errorOf(await start(box.name))).toMatchObject({
    status: 501,
    code: "agent_too_old",
    failed_at: "gateway",
    message: "The agent of box bench-old has version 0.1.0, which cannot run a bench. Update it.",
  });
  expect(box.agent.frames.filter(({ type }) => type === FrameType.open)).toEqual([]);
});

test.each([
  { status: 409, code: "bench_running", failed_at: "gateway" },
  { status: 404, code: "model_not_found", failed_at: "gateway" },
  { status: 503, code: "ollama_error", failed_at: "ollama" },
])("answers $status with code $code", async ({ status, code, failed_at }) => {
  await using box = await FakeBox.connect(`bench-${status}`, [MODEL], RUNS_BENCH);
  const answered = start(box.name);
  await box.answer({ status, body: '{"error":"the reason"}' });
  expect(await errorOf(await answered)).toMatchObject({ status, code, failed_at });
});

test.each([
  { what: "a box that nobody knows", box: "nobody", body: { model: MODEL }, status: 404 },
  { what: "a cloud model", box: "nobody", body: { model: "gpt-oss:120b-cloud" }, status: 403 },
  { what: "no model", box: "nobody", body: {}, status: 400 },
  { what: "no repeats", box: "nobody", body: { model: MODEL, repeats: 0 }, status: 400 },
  { what: "an unknown field", box: "nobody", body: { model: MODEL, prompt: "x" }, status: 400 },
])("refuses $what", async ({ box, body, status }) => {
  expect((await start(box, body)).status).toBe(status);
});

test("refuses a box that is away", async () => {
  const box = await FakeBox.connect("bench-away", [MODEL], RUNS_BENCH);
  await box[Symbol.asyncDispose]();
  expect(await errorOf(await start(box.name))).toMatchObject({ status: 503, code: "box_down" });
});

test("cancels the bench on the box when the caller leaves", async () => {
  await using box = await FakeBox.connect("bench-left", [MODEL], RUNS_BENCH);
  const answered = start(box.name);
  const { stream } = await box.next();
  const head = jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] });
  box.agent.send({ type: FrameType.head, stream, seq: 0, payload: head });
  await (await answered).body?.cancel();
  expect((await box.agent.next(FrameType.abort)).stream).toBe(stream);
});

test("only an admin key starts a bench, and a key that reads lists them", async () => {
  const init = { method: "POST", body: JSON.stringify({ model: MODEL }) };
  for (const key of [CALLER, READ])
    expect((await call("/api/boxes/home/bench", { ...init, headers: bearer(key) })).status).toBe(
      403,
    );
  expect((await call("/api/bench", { headers: bearer(CALLER) })).status).toBe(403);
  expect((await call("/api/bench", { headers: bearer(READ) })).status).toBe(200);
});

test("lists runs newest first by box and model, and no more than it keeps", async () => {
  const aggregator = aggregatorOf(env);
  for (const n of [1, 3, 2]) await aggregator.addBench(benchRunOf(n, { box: "lists", model: "m" }));
  await aggregator.addBench(benchRunOf(4, { box: "lists", model: "other" }));
  const idsOf = async (query: string) => (await list(query)).runs.map(({ id }) => id.at(-1));
  expect(await idsOf("box=lists")).toEqual(["4", "3", "2", "1"]);
  expect(await idsOf("box=lists&model=m:latest")).toEqual(["3", "2", "1"]);
  expect(await idsOf("box=lists&limit=2")).toEqual(["4", "3"]);
  expect((await list("box=never-seen")).runs).toEqual([]);
  const many = Array.from({ length: BENCH_RUNS_MAX }, (_, n) =>
    aggregator.addBench(benchRunOf(1_000 + n, { box: "many" })),
  );
  await Promise.all(many);
  const { runs, kept } = await list("box=lists&limit=100");
  expect(runs).toEqual([]);
  expect(kept).toBe(BENCH_RUNS_MAX);
});

test("deletes the runs with the metrics", async () => {
  await aggregatorOf(env).addBench(benchRunOf(9_000, { box: "cleared" }));
  await aggregatorOf(env).clear("logs");
  expect((await list("box=cleared")).runs).toHaveLength(1);
  await aggregatorOf(env).clear("metrics");
  expect((await list("box=cleared")).runs).toEqual([]);
});
