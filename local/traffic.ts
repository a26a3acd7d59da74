/**
 * Callers of the demo: a mix of APIs, models and prompts, with bursts for one model, which form a
 * queue, callers that disconnect, unknown model names, an Ollama that fails for a while, and a tunnel
 * that is cut occasionally.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { installedOf } from "../agent/readings/inventory-parse.ts";
import { withTag } from "../protocol/inventory.ts";
import { DEMO_PROMPTS } from "./demo-prompts.ts";
import { SCENES, type SceneAnswer, setFaults } from "./several-boxes.ts";
import { DEMO_BOXES } from "./simulation.ts";
import type { Stack } from "./stack.ts";

type Request = { path: string; body: Record<string, unknown> };

/** The kinds of calls, each with its weight. */
const KINDS_OF_CALLS: [weight: number, make: (model: string, prompt: string) => Request][] = [
  [
    5,
    (model, prompt) => ({
      path: "/ollama/api/chat",
      body: { model, messages: [{ role: "user", content: prompt }] },
    }),
  ],
  [2, (model, prompt) => ({ path: "/ollama/api/generate", body: { model, prompt } })],
  [
    1,
    (model, prompt) => ({
      path: "/ollama/api/chat",
      body: { model, messages: [{ role: "user", content: prompt }], stream: false },
    }),
  ],
  [
    4,
    (model, prompt) => ({
      path: "/v1/chat/completions",
      body: { model, messages: [{ role: "user", content: prompt }], stream: true },
    }),
  ],
  [
    1,
    (model, prompt) => ({
      path: "/v1/chat/completions",
      body: { model, messages: [{ role: "user", content: prompt }], tools: [WEATHER] },
    }),
  ],
  [1, (model, prompt) => ({ path: "/v1/responses", body: { model, input: prompt, stream: true } })],
  [
    2,
    (model, prompt) => ({
      path: "/v1/messages",
      body: {
        model,
        max_tokens: 1_024,
        messages: [{ role: "user", content: prompt }],
        stream: true,
      },
    }),
  ],
];

const DRAWN = KINDS_OF_CALLS.flatMap(([weight, make]) =>
  Array.from({ length: weight }, () => make),
);

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Weather now",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

const DEMO_MODELS = [...new Set(DEMO_BOXES.flatMap(({ models }) => models))];
const CHAT_MODELS = DEMO_MODELS.filter((model) => !model.includes("embed"));

/** Models of the boxes with one slot, where bursts wait. */
const BURST_MODELS = DEMO_BOXES.filter(({ slots }) => slots === 1).flatMap(({ models }) => models);

/** Average time between two calls, in milliseconds. Bursts are faster. */
const CALL_MS = 1_400;
const BURST_MS = 150;
const TROUBLE_MS = 45_000;
/** Time between the first scenes, so that a newcomer soon sees each. */
const FIRST_SCENES_MS = 8_000;
/**
 * Longer than the agent's silence limit and shorter than the grace period, so streams are resumed.
 */
const FREEZE_MS = 5_000;
const FAULTY_MS = 8_000;

/** Sends calls until the process ends. */
export async function runTraffic(
  stack: Stack,
  key: string | null,
  print: (line: string) => void,
): Promise<void> {
  await untilAllListed(stack.url, key);
  void makeTrouble(stack, key, print);
  let burst = 0;
  let burstModel: string | null = null;
  for (;;) {
    void call(stack.url, key, burst > 0 ? burstModel : null);
    if (burst === 0 && Math.random() < 0.03) {
      burst = 8 + Math.floor(Math.random() * 8);
      burstModel = oneOf(BURST_MODELS);
    }
    burst = Math.max(0, burst - 1);
    await sleep(-Math.log(1 - Math.random()) * (burst > 0 ? BURST_MS : CALL_MS));
  }
}

/** Each look is a request of its own in the figures of the demo. */
const LISTED_EVERY_MS = 1_000;

/** Waits until every box has reported its models: before that, a call for one of them is a 404. */
export async function untilAllListed(url: string, key: string | null): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/ollama/api/tags`, { headers: headersOf(key) });
    const listed = installedOf(await answer.json())?.map(({ name }) => name) ?? [];
    if (DEMO_MODELS.every((model) => listed.includes(withTag(model)))) return;
    await sleep(LISTED_EVERY_MS);
  }
}

const headersOf = (key: string | null): Record<string, string> => ({
  "content-type": "application/json",
  ...(key === null ? {} : { authorization: `Bearer ${key}` }),
});

/** @param model  the model of a burst; null for any */
async function call(url: string, key: string | null, model: string | null): Promise<void> {
  const { path, body } = model === null && Math.random() < 0.08 ? embedding() : picked(model);
  const disconnect = new AbortController();
  const timer =
    Math.random() < 0.06 ? setTimeout(() => disconnect.abort(), 150 + Math.random() * 1_500) : null;
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: headersOf(key),
      body: JSON.stringify(body),
      signal: disconnect.signal,
    });
    await response.arrayBuffer();
  } catch {
    // The caller disconnected, or the call was cut or refused. The page shows which.
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

function picked(wanted: string | null): Request {
  const model = wanted ?? (Math.random() < 0.02 ? "llama9:1t" : oneOf(CHAT_MODELS));
  return oneOf(DRAWN)(model, oneOf(DEMO_PROMPTS));
}

const embedding = (): Request => ({
  path: "/ollama/api/embed",
  body: { model: "nomic-embed-text", input: [oneOf(DEMO_PROMPTS), oneOf(DEMO_PROMPTS)] },
});

/** Breaks something from time to time and prints what it is. */
async function makeTrouble(
  stack: Stack,
  key: string | null,
  print: (line: string) => void,
): Promise<void> {
  for (let turn = 0; ; turn++) {
    const isFirstRound = turn < SCENES.length;
    await sleep(isFirstRound ? FIRST_SCENES_MS : TROUBLE_MS * (0.6 + Math.random() * 0.8));
    const scene = SCENES[turn % (2 * SCENES.length)];
    if (scene !== undefined) {
      const ask = askerOf(stack.url, key);
      await scene({ stack, print, ask }).catch(() => {}); // the stack is being stopped
      continue;
    }
    const box = oneOf(stack.boxes);
    const { name } = box.plan;
    const kind = oneOf(["freeze", "freeze", "kill", "errors"]);
    if (kind === "freeze") {
      print(
        `demo: freezing the agent of ${name} for ${FREEZE_MS / 1_000} s; its tunnel drops and its streams pause`,
      );
      box.agent.signal("SIGSTOP");
      await sleep(FREEZE_MS);
      box.agent.signal("SIGCONT");
    } else if (kind === "kill") {
      print(`demo: killing the agent of ${name}; its open requests become errors`);
      box.agent.signal("SIGKILL");
    } else {
      print(`demo: Ollama on ${name} fails in the middle of answers for ${FAULTY_MS / 1_000} s`);
      const url = stack.simulated.get(name);
      if (url === undefined) continue;
      await setFaults(url, [{ kind: "error_line", after_chunks: 12 }]);
      await sleep(FAULTY_MS);
      await setFaults(url, []);
    }
  }
}

/** Returns the calls of the scenes, which report how they were answered. */
export const askerOf =
  (url: string, key: string | null) =>
  async (model: string, more: Record<string, unknown> = {}, box?: string): Promise<SceneAnswer> => {
    const content = `${oneOf(DEMO_PROMPTS)} (${randomUUID()})`;
    const response = await fetch(`${url}/ollama/api/chat`, {
      method: "POST",
      headers: { ...headersOf(key), ...(box === undefined ? {} : { "x-box": box }) },
      body: JSON.stringify({ model, messages: [{ role: "user", content }], ...more }),
    });
    const text = await response.text();
    const { headers } = response;
    const position = headers.get("x-queue-position");
    return {
      isWhole: response.status === 200 && text.includes('"done":true'),
      box: headers.get("x-box"),
      reason: headers.get("x-route-reason"),
      position: position === null ? null : Number(position),
      waitedMs: Number(headers.get("x-queue-waited-ms") ?? 0),
    };
  };

function oneOf<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new RangeError("cannot choose from an empty list");
  return item;
}
