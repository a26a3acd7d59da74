/**
 * Two boxes that have the same model: a queue on the warm one spills to the other, which is cold, and a
 * conversation stays where it is. A box that is busy by its own figures is avoided.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

const MODEL = "llama3.2";
const CALLS = 30;

let stack: TestStack;
let ollamas: SimulatedOllama[] = [];
let listenerPort = 0;

beforeAll(async () => {
  ollamas = await Promise.all(
    [1, 2].map((seed) =>
      startSimulatedOllama({
        models: [MODEL],
        tokenMs: 10,
        loadMsPerGb: 500,
        slotsPerModel: 1,
        seed,
      }),
    ),
  );
  stack = await TestStack.start();
  listenerPort = await freePort();
});

const startAgent = (name: string, index: number, args: string[] = []) =>
  stack.startAgent({
    name,
    ollamaUrl: ollamas[index]?.url ?? "",
    args,
    env: { OLLAMA_NUM_PARALLEL: "1" },
  });

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.close()));
});

type Message = { role: string; content: string };
let asked = 0;

/** By default of a conversation of its own. */
async function chat(
  messages: Message[] = [{ role: "user", content: `Question ${asked++}` }],
): Promise<[box: string, reason: string]> {
  const answer = await fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    body: JSON.stringify({
      model: MODEL,
      messages,
      options: { num_predict: 20 },
    }),
  });
  expect(answer.status).toBe(200);
  await answer.text();
  return [answer.headers.get("x-box") ?? "", answer.headers.get("x-route-reason") ?? ""];
}

test("30 calls at once are served by the warm box and by the cold one that has the model", async () => {
  await startAgent("first", 0, ["--listen", `127.0.0.1:${listenerPort}`]);
  // An isolate that has read the fleet before the box reported its models calls it a box like any other.
  await eventually(async () => (await chat())[1] === "only-holder");
  await startAgent("second", 1);
  // Otherwise the isolate learns of the second box when it next refreshes the fleet.
  await fetch(`${stack.url}/ollama/@second/api/version`);
  await eventually(async () => {
    const [box, reason] = await chat();
    await delay(50);
    return box === "first" && reason === "warm";
  });
  const places = await Promise.all(Array.from({ length: CALLS }, () => chat()));
  const on = (name: string) => places.filter(([box]) => box === name);
  expect(on("first").length).toBeGreaterThanOrEqual(5);
  expect(on("second").length).toBeGreaterThanOrEqual(5);
  expect(on("first").every(([, reason]) => reason === "warm")).toBe(true);
  expect(on("second").some(([, reason]) => reason === "spill")).toBe(true);
  const { requests } = ollamas[1] as SimulatedOllama;
  expect(requests().filter(({ path }) => path === "/api/chat").length).toBe(on("second").length);
});

/** Returns the boxes and the reasons of the turns of one conversation, one after the other. */
async function converse(name: string, turns: number): Promise<[box: string, reason: string][]> {
  const messages: Message[] = [];
  const places: [string, string][] = [];
  for (let turn = 0; turn < turns; turn++) {
    const more = turn === 0 ? "and why? ".repeat(1_000) : "";
    messages.push({ role: "user", content: `${name}, turn ${turn}: ${more}` });
    places.push(await chat([...messages]));
    messages.push({ role: "assistant", content: "I see." });
  }
  return places;
}

test("a conversation stays on its box", async () => {
  for (const name of ["One", "Another"]) {
    const [first, ...later] = await converse(name, 3);
    expect(later).toEqual([
      [first?.[0], "sticky"],
      [first?.[0], "sticky"],
    ]);
  }
});

test("calls avoid a box whose load no isolate has seen, by the figures of the box", async () => {
  const leaving = new AbortController();
  const past = Array.from({ length: 6 }, () =>
    fetch(`http://127.0.0.1:${listenerPort}/api/chat`, {
      method: "POST",
      body: JSON.stringify({
        model: MODEL,
        messages: [{ role: "user", content: "Hello" }],
        options: { num_predict: 5_000 },
      }),
      signal: leaving.signal,
    })
      .then((answer) => answer.text())
      .catch(() => null),
  );
  await eventually(async () => (await stack.stats()).in_flight === past.length);
  const boxes: string[] = [];
  for (let n = 0; n < 12; n++) boxes.push((await chat())[0]);
  leaving.abort();
  await Promise.all(past);
  expect(new Set(boxes)).toEqual(new Set(["second"]));
});
