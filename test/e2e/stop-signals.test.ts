/** Signals to an agent: the first lets open requests finish, the second stops at once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { onBusyMachine } from "../support/patience.ts";
import { eventually, TestStack } from "../support/stack.ts";

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: ["llama3.2:latest"], tokenMs: 20, loadMsPerGb: 0 });
  stack = await TestStack.start();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

/** Begins an answer, and resolves with what the caller has in the end. */
async function answering(box: string, tokens: number) {
  const answer = await fetch(`${stack.url}/ollama/api/generate`, {
    method: "POST",
    headers: { "x-box": box },
    body: JSON.stringify({ model: "llama3.2", prompt: "Hi", options: { num_predict: tokens } }),
  });
  return { id: answer.headers.get("x-request-id"), text: answer.text() };
}

const stopping = (agent: Child) => agent.tail().filter((line) => line.includes('"stopping"'));

test("one Ctrl-C, which npm delivers twice, waits for open requests and names them", async () => {
  const agent = await stack.startAgent({ name: "patient", ollamaUrl: ollama.url });
  const { text } = await answering("patient", 60);
  agent.signal("SIGINT");
  agent.signal("SIGINT");
  await eventually(async () => stopping(agent).length > 0);
  expect(stopping(agent)).toEqual([expect.stringContaining('"waits_for":"open requests;')]);
  expect((await text).trim().split("\n").at(-1)).toContain('"done":true');
  expect(await agent.ended).toMatchObject({ code: 0 });
});

test("a second Ctrl-C ends open requests with an error, and the agent at once", async () => {
  const agent = await stack.startAgent({ name: "hasty", ollamaUrl: ollama.url });
  const { id, text } = await answering("hasty", 20_000);
  agent.signal("SIGINT");
  await eventually(async () => stopping(agent).length === 1);
  // A signal in the same moment counts as the first.
  await eventually(async () => {
    agent.signal("SIGINT");
    return stopping(agent).length === 2;
  });
  const secondMs = performance.now();
  await agent.ended;
  expect(performance.now() - secondMs).toBeLessThan(onBusyMachine(1_000));
  expect((await text).trim().split("\n").at(-1)).toContain('"error"');
  expect(await stack.record(id)).toMatchObject({ status: "error", failed_at: "tunnel" });
});
