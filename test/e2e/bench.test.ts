/** The bench of a box through the whole product: its records, and an agent that dies in the middle. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Bench, BenchEvent } from "../../protocol/api/bench.ts";
import { Models } from "../../protocol/api/stats.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";

const MODEL = "llama3.2:latest";
const SHORT = { model: MODEL, contexts: [64], repeats: 2, output_tokens: 32 };

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  [stack, ollama] = await Promise.all([
    TestStack.start(),
    startSimulatedOllama({ models: [MODEL], tokenMs: 2, loadMsPerGb: 0 }),
  ]);
});

afterAll(() => Promise.all([stack?.[Symbol.asyncDispose](), ollama?.close()]));

const start = (box: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${stack.url}/api/boxes/${box}/bench`, {
    method: "POST",
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });

/** Reads the events of an answer; `onEvent` runs for each. */
async function eventsOf(
  answer: Response,
  onEvent: (event: BenchEvent) => void = () => {},
): Promise<BenchEvent[]> {
  const events: BenchEvent[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of answer.body ?? []) {
    const chunk = decoder.decode(bytes, { stream: true });
    const parts = (text + chunk).split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      if (!part.startsWith("data: ")) continue;
      const event = BenchEvent.parse(JSON.parse(part.slice("data: ".length)));
      events.push(event);
      onEvent(event);
    }
  }
  return events;
}

const benchLogs = async () => (await stack.logs()).logs.filter(({ source }) => source === "bench");

test("records the requests of a bench apart from those of callers, and leaves the averages alone", async () => {
  await using _agent = stopping(
    await stack.startAgent({ name: "atlas", ollamaUrl: ollama.url, env: { SIMULATED: "1" } }),
  );
  const options = { num_predict: 20 };
  const messages = [{ role: "user", content: "x" }];
  await (
    await fetch(`${stack.url}/ollama/api/chat`, {
      method: "POST",
      body: JSON.stringify({ model: MODEL, messages, options }),
    })
  ).text();
  const before = await eventually(async () => {
    const { models } = Models.parse(await stack.json("/api/models"));
    return models.find(({ name }) => name.startsWith("llama3.2"));
  });
  const last = (await eventsOf(await start("atlas", SHORT))).at(-1);
  expect(last).toMatchObject({ state: "done", run: { box: "atlas", simulated: true } });
  const logs = await eventually(async () => {
    const found = await benchLogs();
    return found.length === 4 && found;
  });
  for (const log of logs)
    expect(log).toMatchObject({
      simulated: true,
      key_id: null,
      user_agent: "ollama-edge-agent bench",
    });
  const { models } = Models.parse(await stack.json("/api/models"));
  const after = models.find(({ name }) => name === before.name);
  expect(after?.total_requests).toBeGreaterThan(before.total_requests);
  for (const figure of [
    "total_tokens",
    "tokens_per_second",
    "ttft_p50_ms",
    "latency_p50_ms",
  ] as const)
    expect(after?.[figure], figure).toBe(before[figure]);
  const { runs } = Bench.parse(await stack.json("/api/bench?box=atlas"));
  expect(runs).toHaveLength(1);
});

test("no path of a caller leads to the bench of an agent", async () => {
  await using _agent = stopping(await stack.startAgent({ name: "basil", ollamaUrl: ollama.url }));
  for (const path of ["/bench", "/ollama/bench", "/ollama/%62ench", "/v1/bench"]) {
    const answer = await fetch(stack.url + path, { method: "POST", body: JSON.stringify(SHORT) });
    await answer.text();
    expect([404, 405], path).toContain(answer.status);
  }
});

test("fails when the agent is killed in the middle, and runs again once it is back", async () => {
  const plan = { name: "cinder", ollamaUrl: ollama.url };
  const first = await stack.startAgent(plan);
  const killed = Promise.withResolvers<void>();
  const events = await eventsOf(
    await start("cinder", { ...SHORT, output_tokens: 2_048, repeats: 10 }),
    (event) => {
      if (event.state !== "running" || event.done !== 2) return;
      first.kill();
      void first.ended.then(() => stack.startAgent(plan)).then(() => killed.resolve());
    },
  );
  expect(events.at(-1)).toMatchObject({ state: "failed", error: expect.any(String) });
  await killed.promise;
  const lost = await eventually(async () =>
    (await benchLogs()).find(({ box, status }) => box === "cinder" && status === "error"),
  );
  expect(lost.failed_at).toBe("tunnel");
  const again = await eventually(async () => {
    const last = (await eventsOf(await start("cinder", SHORT))).at(-1);
    return last?.state === "done" && last;
  });
  expect(again.run.box).toBe("cinder");
});

/** Stops an agent at the end of a test. */
function stopping(agent: Awaited<ReturnType<TestStack["startAgent"]>>): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => void (await agent.stop(5_000)) };
}
