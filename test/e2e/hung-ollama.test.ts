/**
 * Two boxes, and an Ollama that is stopped like a process whose driver hangs: its port accepts connections, and
 * nothing answers.
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { type Reaper, startReaper } from "../../local/reaping.ts";
import { eventually, TestStack } from "../support/stack.ts";

/** On both boxes. */
const TWIN = "twin:1b";
/** On both boxes; its load takes longer than it takes to notice an Ollama that hangs. */
const LARGE = "llama3.3:70b";
/** On the first box only. */
const LONELY = "lonely:1b";

let reaper: Reaper;
let stack: TestStack;
const ollamas: Child[] = [];

async function startOllama(models: string[]): Promise<string> {
  const args = ["--port", "0", "--models", models.join(), "--token-ms", "20"];
  args.push("--load-ms-per-gb", "170");
  let url: string | undefined;
  const ollama = new Child(
    {
      name: "simulated Ollama",
      args: [join(ROOT, "simulated/ollama.ts"), ...args],
      env: process.env,
      cwd: ROOT,
      onLine: (line) => {
        url ??= /^simulated Ollama on (\S+)$/.exec(line)?.[1];
      },
    },
    reaper,
  );
  ollamas.push(ollama);
  return await eventually(async () => url);
}

beforeAll(async () => {
  reaper = startReaper();
  const urls = await Promise.all([startOllama([TWIN, LARGE, LONELY]), startOllama([TWIN, LARGE])]);
  stack = await TestStack.start();
  for (const [n, ollamaUrl] of urls.entries())
    await stack.startAgent({ name: `box-${n}`, ollamaUrl });
  await eventually(async () =>
    (await stack.boxes()).every(({ ollama_reachable }) => ollama_reachable === true),
  );
});

afterAll(async () => {
  ollamas[0]?.signal("SIGCONT");
  await stack?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.stop(2_000)));
  reaper?.close();
});

function post(path: string, body: Record<string, unknown>, headers: Record<string, string> = {}) {
  return fetch(`${stack.url}/ollama${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ messages: [{ role: "user", content: crypto.randomUUID() }], ...body }),
  });
}

const chat = (model: string, { stream = true, tokens = 3, headers = {} } = {}) =>
  post("/api/chat", { model, stream, options: { num_predict: tokens } }, headers);

async function recordOf(answer: Response) {
  const id = answer.headers.get("x-request-id");
  const record = await stack.record(id);
  expect((await stack.logs()).logs.filter((entry) => entry.id === id)).toHaveLength(1);
  return record;
}

test("a cold load is no hang, and stays where it is", async () => {
  const answer = await chat(LARGE);
  expect([answer.status, await answer.text()]).toEqual([
    200,
    expect.stringContaining('"done":true'),
  ]);
  const { attempts, load_ms } = await recordOf(answer);
  expect(attempts).toBe(1);
  expect(load_ms).toBeGreaterThan(6_500);
});

test("calls leave an Ollama that hangs, and it gets new ones once it answers again", async () => {
  const [hung] = ollamas;
  for (const box of ["box-0", "box-1"])
    await (await chat(TWIN, { headers: { "x-box": box } })).text();
  const running = await chat(LONELY, { tokens: 100 });
  hung?.signal("SIGSTOP");
  const sole = post("/v1/chat/completions", { model: LONELY });
  // Enough at once to be spread over both boxes.
  const both = [true, false, true, false, true, false].map((stream) => chat(TWIN, { stream }));
  const answers = await Promise.all(both);
  for (const answer of answers) {
    expect([answer.status, await answer.text()]).toEqual([
      200,
      expect.stringContaining('"done":true'),
    ]);
    expect(answer.headers.get("x-box")).toBe("box-1");
  }
  const moved = answers.filter(({ headers }) => headers.get("x-route-reason") === "failover");
  expect(moved.length).toBeGreaterThan(0);
  const { status, concerns } = await eventually(async () => {
    const health = await stack.health();
    return health.status === "degraded" && health;
  });
  expect(status).toBe("degraded");
  expect(concerns).toContainEqual(
    expect.objectContaining({ code: "ollama_unreachable", subject: { kind: "box", box: "box-0" } }),
  );
  const next = await chat(TWIN);
  await next.text();
  expect(next.headers.get("x-box")).toBe("box-1");

  const failed = await sole;
  expect([failed.status, await failed.json()]).toEqual([
    503,
    {
      error: expect.objectContaining({
        code: "ollama_unreachable",
        message: expect.stringMatching(/on box box-0: nothing came from it for/),
      }),
    },
  ]);

  hung?.signal("SIGCONT");
  expect(await running.text()).toContain('"done":true');
  await eventually(async () => (await stack.health()).status === "healthy");
  const back = await chat(LONELY);
  expect([back.status, back.headers.get("x-box")]).toEqual([200, "box-0"]);
  await back.text();

  for (const answer of moved)
    expect(await recordOf(answer)).toMatchObject({
      box: "box-1",
      status: "success",
      attempts: 2,
      moved_from: expect.stringMatching(/^box-0:no_answer:\d+ms$/),
    });
  expect(await recordOf(failed)).toMatchObject({
    box: "box-0",
    status: "error",
    http_status: 503,
    failed_at: "ollama",
    attempts: 1,
  });
  expect(await recordOf(running)).toMatchObject({ box: "box-0", status: "success" });
});
