/**
 * A caller that leaves stops Ollama within a second, whether it hangs up in order (FIN), as most
 * clients do, or resets the connection, and whatever Ollama is doing for it.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { onBusyMachine } from "../support/patience.ts";
import { eventually, TestStack } from "../support/stack.ts";

const MODEL = "llama3.2";
const NOTICED_MS = onBusyMachine(1_000);

let stack: TestStack;
let ollama: SimulatedOllama;
const sockets: Socket[] = [];

beforeAll(async () => {
  ollama = await startSimulatedOllama({
    models: [`${MODEL}:latest`],
    tokenMs: 20,
    loadMsPerGb: 0,
    slotsPerModel: 1,
  });
  stack = await TestStack.start();
  await stack.startAgent({ name: "box", ollamaUrl: ollama.url });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.resetAndDestroy();
  ollama.fault([]);
  await eventually(async () => (await load()).active === 0);
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const ENDINGS = {
  "a FIN": (socket: Socket) => socket.end(),
  "a reset": (socket: Socket) => socket.resetAndDestroy(),
};

type Situation = {
  api: "/ollama/api/chat" | "/v1/chat/completions" | "/v1/messages";
  stream: boolean;
  /** Prepares Ollama. */
  before?: () => Promise<void>;
  /** Waits until Ollama is in the situation. */
  reached: (socket: Socket) => Promise<unknown>;
};

const generating = () => eventually(async () => (await load()).active === 1);
const answering = (socket: Socket) => eventually(async () => socket.bytesRead > 0);
const waiting = () => eventually(async () => (await load()).waiting === 1);
const slowPrompt = async () => ollama.fault([{ kind: "slow_first_token", ms: 60_000 }]);
const occupied = async () => {
  call("/ollama/api/chat", true, "occupies the slot");
  await generating();
};

const SITUATIONS: Record<string, Situation> = {
  "in a streamed answer": { api: "/ollama/api/chat", stream: true, reached: answering },
  "in an unstreamed answer": { api: "/ollama/api/chat", stream: false, reached: generating },
  "in an unstreamed OpenAI answer": {
    api: "/v1/chat/completions",
    stream: false,
    reached: generating,
  },
  "in an unstreamed Anthropic answer": { api: "/v1/messages", stream: false, reached: generating },
  "in the prefill of a streamed answer": {
    api: "/ollama/api/chat",
    stream: true,
    before: slowPrompt,
    reached: generating,
  },
  "in the prefill of an unstreamed answer": {
    api: "/ollama/api/chat",
    stream: false,
    before: slowPrompt,
    reached: generating,
  },
  "while waiting in Ollama's queue for a streamed answer": {
    api: "/ollama/api/chat",
    stream: true,
    before: occupied,
    reached: waiting,
  },
  "while waiting in Ollama's queue for an unstreamed answer": {
    api: "/ollama/api/chat",
    stream: false,
    before: occupied,
    reached: waiting,
  },
};

const CASES = Object.entries(ENDINGS).flatMap(([ending, leave]) =>
  Object.entries(SITUATIONS).map(
    ([situation, plan]) => [ending, situation, { leave, plan }] as const,
  ),
);

test.each(CASES)(
  "%s %s stops Ollama within a second and is recorded as cancelled",
  async (ending, situation, { leave, plan }) => {
    await plan.before?.();
    const prompt = `${ending} ${situation}`;
    const socket = call(plan.api, plan.stream, prompt);
    await plan.reached(socket);
    const seen = ollama.requests().find(({ body }) => body.includes(prompt));
    const leftMs = performance.now();
    leave(socket);
    await eventually(async () => seen?.aborted);
    expect(performance.now() - leftMs).toBeLessThan(NOTICED_MS);
    const recorded = await eventually(async () =>
      (await stack.logs()).logs.find((entry) => entry.prompt?.includes(prompt)),
    );
    expect(recorded).toMatchObject({ status: "cancelled", failed_at: null });
  },
);

/** Sends a call that would take minutes. */
function call(path: Situation["api"], stream: boolean, prompt: string): Socket {
  const body = JSON.stringify({
    model: MODEL,
    stream,
    max_tokens: 20_000,
    messages: [{ role: "user", content: prompt }],
    options: { num_predict: 20_000 },
  });
  const socket = connect({ host: "127.0.0.1", port: stack.port, allowHalfOpen: true });
  socket.on("error", () => {}).resume();
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${stack.port}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  sockets.push(socket);
  return socket;
}

async function load(): Promise<{ active: number; waiting: number }> {
  const answer = await fetch(`${ollama.url}/_simulated/load`);
  return (await answer.json()) as { active: number; waiting: number };
}

const UPLOADS = Object.entries(ENDINGS).flatMap(([ending, leave]) =>
  ["/ollama/api/chat", "/v1/messages", "/api/chat"].flatMap((path) =>
    ["Content-Length: 100000", "Transfer-Encoding: chunked"].map(
      (framing) => [ending, path, framing, leave] as const,
    ),
  ),
);

test.each(UPLOADS)(
  "%s in the middle of an upload to %s with %s is recorded as cancelled",
  async (ending, path, framing, leave) => {
    const program = `${ending} ${path} ${framing}`;
    const socket = connect({ host: "127.0.0.1", port: stack.port, allowHalfOpen: true });
    socket.on("error", () => {}).resume();
    sockets.push(socket);
    // The way through the front must exist: otherwise the caller may leave before its request arrives.
    socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${stack.port}\r\n\r\n`);
    await once(socket, "data");
    const part = framing.startsWith("Content") ? '{"model":' : '9\r\n{"model":\r\n';
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${stack.port}\r\nUser-Agent: ${program}\r\n${framing}\r\n\r\n${part}`,
    );
    // The front and the Worker serve a later request only after they have read this part.
    await stack.health();
    leave(socket);
    const recorded = await eventually(async () =>
      (await stack.logs()).logs.find(({ user_agent }) => user_agent === program),
    );
    expect(recorded).toMatchObject({
      status: "cancelled",
      http_status: 499,
      failed_at: null,
      error_message: null,
      box: null,
    });
  },
);
