/** Two boxes, one of which has the model: it is found there, waited for, or named, and never denied. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Ollama } from "ollama";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";

let stack: TestStack;
let ollamas: SimulatedOllama[] = [];
let holder: Child;

const startHolder = () => stack.startAgent({ name: "holder", ollamaUrl: ollamas[0]?.url ?? "" });

beforeAll(async () => {
  ollamas = await Promise.all(
    ["only-here", "elsewhere"].map((model) =>
      startSimulatedOllama({ models: [model], tokenMs: 20, loadMsPerGb: 0 }),
    ),
  );
  stack = await TestStack.start();
  holder = await startHolder();
  await stack.startAgent({ name: "other", ollamaUrl: ollamas[1]?.url ?? "" });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.close()));
});

const chat = (model: string, tokens = 5) =>
  fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: "Hello" }],
      options: { num_predict: tokens },
    }),
  });

const whereAndWhy = ({ headers }: Response) => [
  headers.get("x-box"),
  headers.get("x-route-reason"),
];

test("a call goes to the box that has its model; answer and record contain the reason", async () => {
  const answer = await chat("only-here");
  expect(whereAndWhy(answer)).toEqual(["holder", "only-holder"]);
  await answer.text();
  const record = await stack.record(answer.headers.get("x-request-id"));
  expect(record).toMatchObject({ route_reason: "only-holder", attempts: 1, moved_from: null });
});

test.each(["@other", "%40other"])(
  "a client without headers selects a box by its path: %s",
  async (box) => {
    const client = new Ollama({ host: `${stack.url}/ollama/${box}` });
    expect((await client.list()).models.map(({ name }) => name)).toEqual(["elsewhere:latest"]);
    await expect(client.show({ model: "only-here" })).rejects.toThrow("not found");
  },
);

const namesOf = ({ models }: { models: { name: string }[] }) => models.map(({ name }) => name);

test("Ollama's client sees the models of both boxes as those of one Ollama", async () => {
  const client = new Ollama({ host: `${stack.url}/ollama` });
  const direct = ollamas.map(({ url }) => new Ollama({ host: url }));
  const entries = (await Promise.all(direct.map((each) => each.list()))).flatMap(
    ({ models }) => models,
  );
  const lists = await Promise.all(Array.from({ length: 6 }, () => client.list()));
  expect(new Set(lists.map((list) => JSON.stringify(list))).size).toBe(1);
  expect(lists[0]?.models).toHaveLength(2);
  expect(lists[0]?.models).toEqual(expect.arrayContaining(entries));
  expect(await client.version()).toEqual(await direct[0]?.version());
  for (const model of ["only-here", "elsewhere"])
    expect((await client.show({ model })).details.family).toBeTypeOf("string");
  await (await chat("only-here")).text();
  await (await chat("elsewhere")).text();
  await eventually(async () => (await client.ps()).models.length === 2);
  const running = (await Promise.all(direct.map((each) => each.ps()))).flatMap((ps) => ps.models);
  const loaded = (await client.ps()).models;
  for (const { expires_at: _, ...entry } of running)
    expect(loaded).toContainEqual(expect.objectContaining(entry));
});

test("a client finds what it has just pulled, created, copied or deleted", async () => {
  const client = new Ollama({ host: stack.url });
  const has = async (model: string) => namesOf(await client.list()).includes(model);
  await client.pull({ model: "qwen3:0.6b" });
  expect(await has("qwen3:0.6b")).toBe(true);
  await client.create({ model: "mine:1b", from: "only-here", stream: false });
  expect(await has("mine:1b")).toBe(true);
  await client.copy({ source: "qwen3:0.6b", destination: "copied:1b" });
  expect(await has("copied:1b")).toBe(true);
  for (const model of ["qwen3:0.6b", "mine:1b", "copied:1b"]) {
    await client.delete({ model });
    expect(await has(model)).toBe(false);
  }
});

test("a model is created from uploaded files 20 times of 20, each on one box", async () => {
  const client = new Ollama({ host: stack.url });
  const boxes = new Set<string | null>();
  for (let n = 0; n < 20; n++) {
    const bytes = `GGUF of model ${n}`;
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const blob = `${stack.url}/ollama/api/blobs/${digest}`;
    const answers = [
      await fetch(blob, { method: "HEAD" }),
      await fetch(blob, { method: "POST", body: bytes }),
      await fetch(blob, { method: "HEAD" }),
      await fetch(`${stack.url}/ollama/api/create`, {
        method: "POST",
        body: JSON.stringify({
          model: `made-${n}`,
          files: { "model.gguf": digest },
          stream: false,
        }),
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 201, 200, 200]);
    for (const answer of answers) {
      boxes.add(answer.headers.get("x-box"));
      expect(answer.headers.get("x-route-reason")).toBe("operation");
    }
  }
  expect(boxes.size).toBe(1);
  const made = namesOf(await client.list()).filter((name) => name.startsWith("made-"));
  expect(made).toHaveLength(20);
  for (const model of made) await client.delete({ model });
});

test("a model that both boxes have is deleted from both, and gone from the list", async () => {
  const pull = (box: string) => new Ollama({ host: `${stack.url}/ollama/@${box}` });
  await pull("holder").pull({ model: "both:1b" });
  await pull("other").pull({ model: "both:1b" });
  const path = `${stack.url}/api/delete`;
  const remove = () => fetch(path, { method: "DELETE", body: '{"model":"both:1b"}' });
  const deleted = await remove();
  expect([deleted.status, deleted.headers.get("x-box"), await deleted.text()]).toEqual([
    200,
    "holder, other",
    "",
  ]);
  expect(namesOf(await new Ollama({ host: stack.url }).list())).not.toContain("both:1b");
  for (const { url } of ollamas)
    expect(namesOf(await new Ollama({ host: url }).list())).not.toContain("both:1b");
  const again = await remove();
  expect([again.status, await again.json()]).toEqual([404, { error: "model 'both:1b' not found" }]);
});

test("a model is copied on the box that has it, and a named box keeps its own", async () => {
  const client = new Ollama({ host: stack.url });
  for (const source of ["only-here", "elsewhere"])
    await client.copy({ source, destination: `${source}-copy` });
  const direct = await Promise.all(ollamas.map(({ url }) => new Ollama({ host: url }).list()));
  expect(direct.map((list) => namesOf(list).filter((name) => name.includes("copy")))).toEqual([
    ["only-here-copy:latest"],
    ["elsewhere-copy:latest"],
  ]);
  for (const source of ["only-here", "elsewhere"]) await client.delete({ model: `${source}-copy` });
});

test.each<[path: string, headers: Record<string, string>, status: number, error: RegExp]>([
  ["/ollama/@nowhere/api/tags", {}, 404, /no box named nowhere/],
  ["/api/tags", { "x-box": "nowhere" }, 404, /no box named nowhere/],
  ["/ollama/@other/api/tags", { "x-box": "holder" }, 400, /Name only one/],
  ["/ollama/api/tags", { "x-box": "holder, other" }, 400, /invalid box name/],
])(
  "a box that is unknown or named twice is refused: %s %j",
  async (path, headers, status, error) => {
    const answer = await fetch(stack.url + path, { headers });
    expect([answer.status, await answer.json()]).toEqual([
      status,
      { error: expect.stringMatching(error) },
    ]);
  },
);

test("a model that no box has is Ollama's own 404", async () => {
  const answer = await chat("nowhere");
  expect([answer.status, await answer.json()]).toEqual([
    404,
    { error: "model 'nowhere' not found" },
  ]);
});

test("no call fails while the only box with its model restarts", async () => {
  const long = await chat("only-here", 50);
  let isRestarting = true;
  const statuses: number[] = [];
  const lists = new Set<string>();
  const callers = Array.from({ length: 3 }, async () => {
    while (isRestarting) {
      const answer = await chat("only-here");
      statuses.push(answer.status);
      await answer.text();
      await delay(20);
    }
  });
  const lister = (async () => {
    while (isRestarting) {
      lists.add(namesOf(await new Ollama({ host: stack.url }).list()).join());
      await delay(20);
    }
  })();
  const stopping = holder.stop(20_000);
  expect((await long.text()).trim().split("\n").at(-1)).toContain('"done":true');
  await stopping;
  holder = await startHolder();
  const served = statuses.length;
  while (statuses.length < served + 5) await delay(20);
  isRestarting = false;
  await Promise.all([...callers, lister]);
  expect([...lists]).toEqual(["elsewhere:latest,only-here:latest"]);
  expect(new Set(statuses)).toEqual(new Set([200]));
});

test("a call for a model of a box that stays away is a 503 that names the box", async () => {
  await holder.stop(20_000);
  const answer = await chat("only-here");
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await answer.json()).toEqual({ error: expect.stringContaining("holder") });
});
