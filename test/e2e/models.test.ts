/** Models on real agents: pulled, listed, deleted and kept in the repository, with failures on the way. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import {
  InstalledModels,
  Library,
  ModelDeleted,
  PullDone,
  PullEvent,
} from "../../protocol/api/ollama.ts";
import { RepositoryModel, RepositorySync } from "../../protocol/api/repository.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { onBusyMachine } from "../support/patience.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

/** Without a request for it, the next inventory would arrive after half a minute. */
const SOON_MS = onBusyMachine(1_000);

let stack: TestStack;
let atlasOllama: SimulatedOllama;
let basilOllama: SimulatedOllama;
let basil: Child;
let atlasPort: number;

beforeAll(async () => {
  // Basil is slow: a pull there takes a few seconds.
  atlasOllama = await startSimulatedOllama({ models: ["llama3.2"], tokenMs: 2, loadMsPerGb: 0 });
  basilOllama = await startSimulatedOllama({ models: ["llama3.2"], tokenMs: 150, loadMsPerGb: 0 });
  stack = await TestStack.start();
  atlasPort = await freePort();
  await stack.startAgent({
    name: "atlas",
    ollamaUrl: atlasOllama.url,
    args: ["--listen", `127.0.0.1:${atlasPort}`],
  });
  basil = await stack.startAgent({ name: "basil", ollamaUrl: basilOllama.url });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await atlasOllama?.close();
  await basilOllama?.close();
});

const pull = (name: string, more: RequestInit & { box?: string } = {}) =>
  fetch(`${stack.url}/api/ollama/pull${more.box === undefined ? "" : `?box=${more.box}`}`, {
    method: "POST",
    body: JSON.stringify({ name }),
    ...more,
  });

/** Yields the events one by one, as they arrive. */
async function* eventsOf(answer: Response): AsyncGenerator<unknown> {
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  let rest = "";
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const events = (rest + chunk).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events)
      if (event.startsWith("data: ")) yield JSON.parse(event.slice("data: ".length));
  }
  expect(rest).toBe("");
}

async function allOf(answer: Response): Promise<{ progress: PullEvent[]; done: PullDone }> {
  const events: unknown[] = [];
  for await (const event of eventsOf(answer)) events.push(event);
  return {
    progress: events.slice(0, -1).map((event) => PullEvent.parse(event)),
    done: PullDone.parse(events.at(-1)),
  };
}

const list = async (query = "") =>
  InstalledModels.parse(await stack.json(`/api/ollama/models${query}`)).models;
const boxesWith = async (name: string) =>
  (await list()).find((model) => model.name === name)?.boxes ?? [];
const remove = (path: string) =>
  fetch(`${stack.url}/api/ollama/models/${path}`, { method: "DELETE" });
const entryOf = async (name: string) =>
  RepositoryModel.parse(await stack.json(`/api/models/repository/${name}`));

test("pulls to both boxes with one progress and one record each, and lists the model at once", async () => {
  const { progress, done } = await allOf(await pull("qwen3:0.6b"));
  const overall = progress.map((event) => event.overall);
  expect(overall[0]).toMatchObject({ boxes: 2, finished: 0, failed: 0, total_bytes: null });
  expect(overall.at(-1)).toMatchObject({
    boxes: 2,
    finished: 2,
    failed: 0,
    completed_bytes: overall.at(-1)?.total_bytes,
  });
  const completed = overall.map((view) => view?.completed_bytes ?? Number.NaN);
  expect(completed).toEqual([...completed].sort((a, b) => a - b));
  // Atlas has finished, and the progress still covers basil.
  expect(
    overall.some((view) => view?.finished === 1 && view.completed_bytes < (view.total_bytes ?? 0)),
  ).toBe(true);
  expect(done).toMatchObject({ status: "success", boxes: [{ box: "atlas" }, { box: "basil" }] });
  const over = performance.now();
  await eventually(async () => (await boxesWith("qwen3:0.6b")).length === 2);
  expect(performance.now() - over).toBeLessThan(SOON_MS);
  for (const { box, request_id } of done.boxes) {
    expect(
      progress
        .filter((event) => event.box === box)
        .every((event) => event.request_id === request_id),
    ).toBe(true);
    expect(await stack.record(request_id)).toMatchObject({
      box,
      model: "qwen3:0.6b",
      endpoint: "/api/pull",
      status: "success",
      stream: true,
    });
  }
  // Both pulls are downloads, so the model is in the repository.
  expect(await entryOf("qwen3:0.6b")).toMatchObject({
    download_count: 2,
    is_installed: true,
    installed_on: ["atlas", "basil"],
  });
});

test("fails on every box with Ollama's own error for a name that the registry lacks", async () => {
  const { progress, done } = await allOf(await pull("missing:1b"));
  expect(progress.at(-1)?.overall).toMatchObject({ finished: 0, failed: 2 });
  expect(done.status).toBe("error");
  for (const { error, request_id } of done.boxes) {
    expect(error).toBe("pull model manifest: file does not exist");
    expect(await stack.record(request_id)).toMatchObject({ status: "error", failed_at: "ollama" });
  }
  expect((await fetch(`${stack.url}/api/models/repository/missing:1b`)).status).toBe(404);
});

test("continues the pull on one box when another is killed, and reports why that one failed", async () => {
  let killed = false;
  let done: PullDone | null = null;
  for await (const event of eventsOf(await pull("hf.co/user/model:Q4_K_M"))) {
    const progress = PullEvent.safeParse(event);
    if (!killed && progress.data?.box === "basil" && (progress.data.completed ?? 0) > 0) {
      killed = true;
      basil.kill();
      await basil.ended;
      basil = await stack.startAgent({ name: "basil", ollamaUrl: basilOllama.url });
    }
    done = PullDone.safeParse(event).data ?? done;
  }
  expect(done).toMatchObject({
    status: "error",
    boxes: [
      { box: "atlas", status: "success" },
      {
        box: "basil",
        status: "error",
        error: "The agent of box basil was restarted while it served this request.",
      },
    ],
  });
  expect(await stack.record(done?.boxes[1]?.request_id ?? null)).toMatchObject({
    box: "basil",
    status: "error",
    failed_at: "tunnel",
  });
  expect(await boxesWith("hf.co/user/model:Q4_K_M")).toEqual(["atlas"]);
  // A new pull continues where the old one stopped.
  expect((await allOf(await pull("hf.co/user/model:Q4_K_M", { box: "basil" }))).done.status).toBe(
    "success",
  );
  await eventually(async () => (await entryOf("hf.co/user/model:Q4_K_M")).download_count === 2);
});

test("stops the pull on the box when the caller disconnects, and records cancelled", async () => {
  const seen = basilOllama.requests().length;
  const caller = new AbortController();
  const answer = await pull("qwen3:32b", { signal: caller.signal });
  let id: string | null = null;
  await expect(
    (async () => {
      for await (const event of eventsOf(answer)) {
        const { box, request_id, completed = 0 } = PullEvent.parse(event);
        if (box !== "basil" || completed === 0) continue;
        id = request_id;
        caller.abort();
      }
    })(),
  ).rejects.toThrow();
  const request = await eventually(async () =>
    basilOllama.requests().find(({ path }, n) => n >= seen && path === "/api/pull"),
  );
  await eventually(async () => request.aborted);
  expect(await stack.record(id)).toMatchObject({ box: "basil", status: "cancelled" });
  expect(await boxesWith("qwen3:32b")).not.toContain("basil");
});

test("fails only the box whose Ollama is gone, and answers with its error if it is the only box", async () => {
  const lone = await startSimulatedOllama({ models: [] });
  const agent = await stack.startAgent({ name: "lone", ollamaUrl: lone.url });
  await lone.close();
  const { done } = await allOf(await pull("tinyllama"));
  expect(done.status).toBe("error");
  const errors = new Map(done.boxes.map(({ box, error }) => [box, error]));
  expect(errors.get("atlas")).toBeNull();
  expect(errors.get("basil")).toBeNull();
  expect(errors.get("lone")).toMatch(/Ollama does not answer on box lone/);
  const alone = await pull("tinyllama", { box: "lone" });
  expect(alone.status).toBe(503);
  expect(ApiError.parse(await alone.json()).error).toMatchObject({
    code: "upstream_error",
    failed_at: "ollama",
  });
  await agent.stop(2_000);
});

test.each([["hf.co/user/model:Q4_K_M"], ["hf.co%2Fuser%2Fmodel%3AQ4_K_M"]])(
  "deletes %s from one box, then from all",
  async (raw) => {
    const model = "hf.co/user/model:Q4_K_M";
    await allOf(await pull(model));
    await eventually(async () => (await boxesWith(model)).length === 2);
    const one = ModelDeleted.parse(await (await remove(`${raw}?box=basil`)).json());
    expect(one).toMatchObject({ status: "deleted", model, boxes: [{ box: "basil" }] });
    const over = performance.now();
    await eventually(async () => (await boxesWith(model)).join() === "atlas");
    expect(performance.now() - over).toBeLessThan(SOON_MS);
    expect(await stack.record(one.boxes[0]?.request_id ?? null)).toMatchObject({
      endpoint: "/api/delete",
      model,
      status: "success",
    });
    const rest = ModelDeleted.parse(await (await remove(raw)).json());
    expect(rest.boxes.map(({ box }) => box)).toEqual(["atlas"]);
    await eventually(async () => (await boxesWith(model)).length === 0);
    const none = await remove(raw);
    expect([none.status, ApiError.parse(await none.json()).error.code]).toEqual([
      404,
      "model_not_found",
    ]);
  },
);

test.each([
  ["through the tunnel", "smollm2:135m", () => `${stack.url}/ollama`],
  ["at the box's own listener", "smollm2:360m", () => `http://127.0.0.1:${atlasPort}`],
])("lists and counts a native pull %s", async (_where, model, base) => {
  const answer = await fetch(`${base()}/api/pull`, {
    method: "POST",
    headers: { "x-box": "atlas" },
    body: JSON.stringify({ model, stream: false }),
  });
  expect(await answer.json()).toEqual({ status: "success" });
  const over = performance.now();
  await eventually(async () => (await boxesWith(model)).length === 1);
  expect(performance.now() - over).toBeLessThan(SOON_MS);
  const entry = await eventually(async () => {
    const found = await fetch(`${stack.url}/api/models/repository/${model}`);
    return found.ok && RepositoryModel.parse(await found.json());
  });
  expect(entry).toMatchObject({ download_count: 1, installed_on: ["atlas"], category: "small" });
});

test("fills the repository with a sync, counts use, and shows the model in the library", async () => {
  const synced = RepositorySync.parse(
    await stack.json("/api/models/repository/sync", { method: "POST" }),
  );
  expect(synced.added).toContain("llama3.2");
  expect(synced.installed_count).toBe((await list()).length);
  const messages = [{ role: "user", content: "Hello" }];
  for (const path of ["/api/chat", "/ollama/v1/chat/completions"])
    await (
      await fetch(stack.url + path, {
        method: "POST",
        body: JSON.stringify({ model: "llama3.2", messages, max_tokens: 5 }),
      })
    ).text();
  const used = await eventually(async () => {
    const entry = await entryOf("llama3.2:latest");
    return entry.usage_count === 2 && entry;
  });
  expect(used).toMatchObject({
    total_tokens_generated: 10,
    download_count: 0,
    size_bytes: 2_020_000_000,
  });
  expect(used.installed_at).toBe("2026-09-14T08:21:07.412Z");
  const library = Library.parse(await stack.json("/api/ollama/library?q=llama3.2"));
  expect(library.models[0]).toMatchObject({
    name: "llama3.2",
    source: "repository",
    installed_on: ["atlas", "basil"],
  });
});
