/** Models that are loaded and unloaded through the API, on real agents. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { Plan } from "../../protocol/api/planning.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

let stack: TestStack;
let ollamas: SimulatedOllama[] = [];
let atlas: Child;
let port: number;

const startOllama = (models: string[], at?: number) =>
  startSimulatedOllama({ models, tokenMs: 1, loadMsPerGb: 0, ...(at && { port: at }) });
const startAtlas = () => stack.startAgent({ name: "atlas", ollamaUrl: ollamas[0]?.url ?? "" });

beforeAll(async () => {
  port = await freePort();
  ollamas = await Promise.all([
    startOllama(["both:1b", "only:1b"], port),
    startOllama(["both:1b", "nomic-embed-text"]),
  ]);
  stack = await TestStack.start();
  atlas = await startAtlas();
  await stack.startAgent({ name: "basil", ollamaUrl: ollamas[1]?.url ?? "" });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.close()));
});

const post = (action: "load" | "unload", body: object) =>
  fetch(`${stack.url}/api/models/${action}`, { method: "POST", body: JSON.stringify(body) });

/** Waits until the list of both boxes has these models in memory, and no others. */
const untilListed = (names: string[]) =>
  eventually(async () => {
    const { models } = (await stack.json("/ollama/api/ps")) as { models: { name: string }[] };
    return (
      models
        .map(({ name }) => name)
        .sort()
        .join() === names.join()
    );
  });

/** Waits until the first box reports its pin as carried out. */
const untilLoaded = () =>
  eventually(async () => {
    const { pins } = (await stack.json("/api/pins")) as { pins: { state: string | null }[] };
    return pins.length === 1 && pins[0]?.state === "loaded";
  });

/** Waits until the first Ollama has a model in memory. A connection to one before it may be kept. */
const untilIn = (model: string) =>
  eventually(async () => (await loaded().catch(() => []))[0]?.includes(model) === true);

/** Names of the models in the memory of each Ollama. */
const loaded = () =>
  Promise.all(
    ollamas.map(async ({ url }) => {
      const { models } = (await (await fetch(`${url}/api/ps`)).json()) as {
        models: { name: string }[];
      };
      return models.map(({ name }) => name).sort();
    }),
  );

const boxesIn = async (answer: Response) => {
  const { boxes } = (await answer.json()) as { boxes: { box: string; request_id: string }[] };
  return boxes;
};

test("loads a model on the named box, or where it is, and unloads it there or everywhere", async () => {
  const named = await boxesIn(
    await post("load", { model: "both:1b", box: "basil", keep_alive: -1 }),
  );
  expect(named.map(({ box }) => box)).toEqual(["basil"]);
  expect(await boxesIn(await post("load", { model: "only:1b" }))).toMatchObject([{ box: "atlas" }]);
  expect(await boxesIn(await post("load", { model: "nomic-embed-text" }))).toMatchObject([
    { box: "basil" },
  ]);
  expect(await loaded()).toEqual([["only:1b"], ["both:1b", "nomic-embed-text:latest"]]);
  await untilListed(["both:1b", "nomic-embed-text:latest", "only:1b"]);
  await post("load", { model: "both:1b", box: "atlas" });
  await eventually(async () => {
    const boxes = await stack.boxes();
    return boxes.every((box) => box.loaded.some(({ name }) => name === "both:1b"));
  });
  const unloaded = await boxesIn(await post("unload", { model: "both:1b" }));
  expect(unloaded.map(({ box }) => box).sort()).toEqual(["atlas", "basil"]);
  await untilListed(["nomic-embed-text:latest", "only:1b"]);
  await post("unload", { model: "nomic-embed-text", box: "basil" });
  expect(await loaded()).toEqual([["only:1b"], []]);
});

test("records a load as the edge's own, which moves no figure about callers", async () => {
  const [placed] = await boxesIn(await post("load", { model: "both:1b", box: "atlas" }));
  const entry = await stack.record(placed?.request_id ?? null);
  expect(entry).toMatchObject({
    source: "system",
    route_reason: "planned",
    box: "atlas",
    status: "success",
  });
  // Nothing but loads and unloads has run here.
  const { total_requests, total_tokens, latency_p50_ms, ttft_p50_ms } = await stack.stats();
  expect(total_requests).toBeGreaterThan(0);
  expect({ total_tokens, latency_p50_ms, ttft_p50_ms }).toEqual({
    total_tokens: 0,
    latency_p50_ms: null,
    ttft_p50_ms: null,
  });
});

test("plans with the memory that a load took", async () => {
  const answer = await post("load", { model: "both:1b", box: "atlas" });
  expect(answer.status).toBe(200);
  const plan = await eventually(async () => {
    const found = Plan.parse(await stack.json("/api/plan?model=both:1b"));
    return found.boxes.every(({ method }) => method === "measured") ? found : undefined;
  });
  expect(plan.boxes.map(({ box, is_installed, fits }) => [box, is_installed, fits])).toEqual([
    ["atlas", true, null],
    ["basil", true, null],
  ]);
  expect(plan.boxes[0]?.loaded_context_length).toBe(plan.context_length);
});

test("keeps a pinned model in memory through restarts, as work of its own and of no caller", async () => {
  const pins = `${stack.url}/api/pins`;
  await post("unload", { model: "only:1b" });
  const before = await stack.stats();
  const put = await fetch(pins, {
    method: "PUT",
    body: JSON.stringify({ model: "only:1b", box: "atlas" }),
  });
  expect(put.status).toBe(200);
  await untilLoaded();
  expect((await loaded())[0]).toContain("only:1b");
  const logs = await eventually(async () => {
    const found = (await stack.json("/api/stats/logs?model=only:1b&limit=1")) as {
      logs: { source: string; user_agent: string }[];
    };
    return found.logs[0]?.user_agent === "ollama-edge-agent pin" ? found.logs : undefined;
  });
  expect(logs[0]).toMatchObject({ source: "system", route_reason: null, key_id: null });
  expect((await stack.stats()).total_tokens).toBe(before.total_tokens);

  await ollamas[0]?.close();
  ollamas[0] = await startOllama(["both:1b", "only:1b"], port);
  await untilIn("only:1b"); // again, since its Ollama was restarted
  await atlas.stop(5_000);
  await ollamas[0].close();
  ollamas[0] = await startOllama(["both:1b", "only:1b"], port);
  atlas = await startAtlas();
  await untilIn("only:1b"); // by an agent that has just started
  await untilLoaded();
  const removed = await fetch(`${pins}?box=atlas&model=only:1b`, { method: "DELETE" });
  expect(removed.status).toBe(200);
  expect(await stack.json("/api/pins")).toMatchObject({ pins: [] });
});

test.each<[action: "load" | "unload", body: object, status: number, code: string]>([
  ["load", { model: "nowhere" }, 404, "model_not_found"],
  ["load", { model: "only:1b", box: "basil" }, 404, "model_not_found"],
  ["load", { model: "both:1b", box: "nowhere" }, 404, "box_not_found"],
  ["load", { model: "gpt-oss:120b-cloud" }, 403, "cloud_model"],
  ["load", { model: "both:1b", keep_alive: "soon" }, 400, "bad_request"],
  ["load", { model: "both:1b", context: 0 }, 400, "bad_request"],
  ["unload", { model: "both:1b", keep_alive: 0 }, 400, "bad_request"],
  ["unload", { model: "both:1b", box: "nowhere" }, 404, "box_not_found"],
])("refuses to %s %j", async (action, body, status, code) => {
  const answer = await post(action, body);
  expect([answer.status, ApiError.parse(await answer.json()).error.code]).toEqual([status, code]);
});
