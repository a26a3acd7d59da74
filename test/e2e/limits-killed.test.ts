/** The limits of keys while their Worker and their agents are killed: no call too many reaches an Ollama. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { Health } from "../../protocol/api/fleet.ts";
import type { Key, MadeKey } from "../../protocol/api/keys.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";

const ADMIN = "admin-key-0123456789-abcdefghij";
const SECRETS = {
  one: "box-secret-1647382910-kjhgfdsapo",
  two: "box-secret-2647382910-kjhgfdsapo",
};
const LONG = 20_000;

let stack: TestStack;
let ollamas: SimulatedOllama[] = [];
const agents = new Map<string, Child>();

const admin = (body?: object) => ({
  headers: { authorization: `Bearer ${ADMIN}` },
  ...(body && { method: "POST", body: JSON.stringify(body) }),
});

function startAgent(name: keyof typeof SECRETS, at: number): void {
  const ollamaUrl = ollamas[at]?.url ?? "";
  const env = { BOX_SECRET: SECRETS[name], OLLAMA_NUM_PARALLEL: "32" };
  agents.set(name, stack.spawnAgent({ name, ollamaUrl, env }));
}

const up = async (count: number) => {
  const { boxes } = Health.parse(await stack.json("/api/health", admin()));
  return boxes.filter(({ state }) => state === "up").length === count;
};

beforeAll(async () => {
  ollamas = await Promise.all(
    [1, 2].map(() =>
      startSimulatedOllama({ models: ["m"], tokenMs: 20, loadMsPerGb: 0, slotsPerModel: 32 }),
    ),
  );
  stack = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: ADMIN,
    BOX_SECRETS: Object.entries(SECRETS)
      .map((pair) => pair.join("="))
      .join(","),
  });
  startAgent("one", 0);
  startAgent("two", 1);
  await eventually(() => up(2));
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.close()));
});

const make = async (limits: object) =>
  (await stack.json("/api/keys", admin({ name: "Ada", scopes: ["infer"], limits }))) as MadeKey;

const left = async ({ id }: MadeKey) =>
  ((await stack.json(`/api/keys/${id}`, admin())) as Key).left;

/** Begins calls, each with a text of its own. Returns the statuses; 0 for a connection that broke. */
function burst({ key, id }: MadeKey, calls: number, tokens = LONG) {
  const leaving = new AbortController();
  const refused: number[] = [];
  const statuses = Promise.all(
    Array.from({ length: calls }, async () => {
      const body = {
        model: "m",
        messages: [{ role: "user", content: `${id} ${crypto.randomUUID()}` }],
        options: { num_predict: tokens },
      };
      try {
        const answer = await fetch(`${stack.url}/ollama/api/chat`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}` },
          body: JSON.stringify(body),
          signal: leaving.signal,
        });
        if (answer.status === 429) refused.push(429);
        await answer.text();
        return answer.status;
      } catch {
        return 0;
      }
    }),
  );
  return { statuses, refused, leave: () => leaving.abort() };
}

/** The calls of a key that reached an Ollama. One that moved to the other box counts once. */
const reached = ({ id }: MadeKey): number =>
  new Set(
    ollamas
      .flatMap((ollama) => ollama.requests())
      .flatMap(({ body }) => new RegExp(`${id} [0-9a-f-]{36}`).exec(String(body))?.[0] ?? []),
  ).size;

test("a limit of calls at once holds after the Worker is killed, for those that it cut off too", async () => {
  const key = await make({ parallel: 3 });
  const before = burst(key, 12);
  await eventually(async () => reached(key) === 3 && before.refused.length === 9);
  await stack.killEdge();
  expect((await before.statuses).filter((status) => status !== 429)).toEqual([0, 0, 0]);
  await stack.startEdge();
  await eventually(() => up(2));
  // Their agents may still work on them.
  expect((await left(key))?.parallel?.now).toMatchObject({ used: 3, remaining: 0 });
  expect(new Set(await burst(key, 12).statuses)).toEqual(new Set([429]));
  expect(reached(key)).toBe(3);
});

test("a limit of a month admits exactly its calls while Worker and agents are killed in the middle", async () => {
  const key = await make({ requests: { month: 20 } });
  const kill = {
    worker: async () => {
      await stack.killEdge();
      await stack.startEdge();
    },
    agent: async () => {
      agents.get("one")?.signal("SIGKILL");
      await agents.get("one")?.ended;
      startAgent("one", 0);
    },
  };
  for (const [round, what] of (["worker", "agent", "worker"] as const).entries()) {
    const calls = burst(key, 5);
    await eventually(async () => reached(key) > round * 5);
    await kill[what]();
    calls.leave();
    await calls.statuses;
    await eventually(() => up(2));
    expect(reached(key)).toBeLessThanOrEqual((await left(key))?.requests?.month?.used ?? 0);
  }
  const remaining = (await left(key))?.requests?.month?.remaining ?? 0;
  expect(remaining).toBeGreaterThanOrEqual(5);
  const statuses = await burst(key, 30, 1).statuses;
  expect(statuses.filter((status) => status === 200)).toHaveLength(remaining);
  expect(statuses.filter((status) => status === 429)).toHaveLength(30 - remaining);
  expect((await left(key))?.requests?.month).toMatchObject({ used: 20, remaining: 0 });
  expect(reached(key)).toBeLessThanOrEqual(20);
});

test("a call at once has its place back as soon as its agent was killed and is back", async () => {
  const key = await make({ parallel: 2 });
  const first = burst(key, 4);
  await eventually(async () => reached(key) === 2);
  for (const [at, name] of (["one", "two"] as const).entries()) {
    agents.get(name)?.signal("SIGKILL");
    await agents.get(name)?.ended;
    startAgent(name, at);
  }
  first.leave();
  await first.statuses;
  await eventually(() => up(2));
  await eventually(async () => (await left(key))?.parallel?.now?.used === 0);
  const again = burst(key, 6);
  await eventually(async () => reached(key) === 4 && again.refused.length === 4);
  again.leave();
  expect((await again.statuses).filter((status) => status === 429)).toHaveLength(4);
});
