/**
 * Scenes of the demo that show how several boxes behave like one Ollama: a restart without a failed call, a
 * failover, a spill and a queue. Each prints what its callers got.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DEMO_BOXES } from "./simulation.ts";
import type { Stack } from "./stack.ts";

/** How a call of a scene was answered. */
export type SceneAnswer = {
  isWhole: boolean;
  box: string | null;
  reason: string | null;
  /** Its position in the queue when it came; null if it did not wait. */
  position: number | null;
  waitedMs: number;
};

export type Scene = {
  stack: Stack;
  print(line: string): void;
  /** Sends a request of its own conversation. @param more  fields of the body */
  ask(model: string, more?: Record<string, unknown>, box?: string): Promise<SceneAnswer>;
};

/** The model that two boxes have. */
const SHARED_MODEL = "qwen3:8b";
/** The box whose models no other one has, with one slot. */
const LONELY = DEMO_BOXES.find(({ slots }) => slots === 1);
const AWAY_MS_MAX = 20_000;

export const SCENES: readonly ((scene: Scene) => Promise<void>)[] = [
  restartOnlyHolder,
  failOver,
  spill,
  queue,
];

async function restartOnlyHolder({ stack, print, ask }: Scene): Promise<void> {
  const box = stack.boxes.find(({ plan }) => plan.name === LONELY?.name);
  const [model] = LONELY?.models ?? [];
  if (box === undefined || model === undefined) return;
  const { name } = box.plan;
  // Calls wait 10 s for the agent, which first finishes its open ones: the queue should be short.
  for (let tries = 0; tries < 10 && (await ask(model, SHORT)).position !== null; tries++);
  const before = box.agent;
  print(`demo: restarting the agent of ${name}, the only box with ${model}; calls for it wait`);
  before.signal("SIGTERM");
  const answers: Promise<SceneAnswer>[] = [];
  const startMs = performance.now();
  const isBack = () => box.agent !== before;
  while (!isBack() && performance.now() - startMs < AWAY_MS_MAX) {
    answers.push(ask(model, SHORT));
    await sleep(400);
  }
  const failed = (await Promise.all(answers)).filter(({ isWhole }) => !isWhole).length;
  print(`demo: ${answers.length} calls for ${model} came during the restart; ${failed} failed`);
}

async function failOver({ stack, print, ask }: Scene): Promise<void> {
  const { box } = await ask(SHARED_MODEL, SHORT);
  const url = stack.simulated.get(box ?? "");
  if (url === undefined) return;
  print(`demo: Ollama on ${box} fails before its first byte; another box has ${SHARED_MODEL} too`);
  await setFaults(url, [{ kind: "error_line", after_chunks: 0, model: SHARED_MODEL }]);
  const answers = await together(6, () => ask(SHARED_MODEL, SHORT));
  await setFaults(url, []);
  const whole = answers.filter(({ isWhole }) => isWhole);
  const moved = answers.filter(({ reason }) => reason === "failover");
  print(
    `demo: ${whole.length} of ${answers.length} calls succeeded, ${moved.length} of them on ` +
      `${namesOf(moved)} after a failover`,
  );
}

async function spill({ print, ask }: Scene): Promise<void> {
  const { box } = await ask(SHARED_MODEL, SHORT);
  for (const { name, models } of DEMO_BOXES)
    if (name !== box && models.includes(SHARED_MODEL))
      await ask(SHARED_MODEL, { messages: [], keep_alive: 0 }, name);
  print(`demo: a burst for ${SHARED_MODEL}, which only ${box} has in memory`);
  const answers = await together(24, () => ask(SHARED_MODEL, LONG));
  const spilled = answers.filter((answer) => answer.box !== box);
  print(
    `demo: ${answers.length - spilled.length} of ${answers.length} calls were served by ${box}; ` +
      `${spilled.length} spilled to ${namesOf(spilled)}, which loaded the model`,
  );
}

async function queue({ print, ask }: Scene): Promise<void> {
  const [model] = LONELY?.models ?? [];
  if (model === undefined) return;
  print(`demo: a burst for ${model}, of which ${LONELY?.name} serves one call at a time`);
  const answers = await together(8, () => ask(model, SHORT));
  const positions = answers.flatMap(({ position }) => position ?? []).sort((a, b) => a - b);
  const longest = Math.max(...answers.map(({ waitedMs }) => waitedMs));
  print(
    `demo: positions in the queue (X-Queue-Position): ${positions.join(", ")}; ` +
      `the longest wait was ${(longest / 1_000).toFixed(1)} s`,
  );
}

const SHORT = { options: { num_predict: 40 } };
const LONG = { options: { num_predict: 200 } };

const together = <Result>(count: number, call: () => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: count }, call));

const namesOf = (answers: readonly SceneAnswer[]): string =>
  [...new Set(answers.map(({ box }) => box))].join(", ") || "no box";

/** Replaces the faults of a simulated Ollama. */
export async function setFaults(url: string, faults: unknown[]): Promise<void> {
  const body = JSON.stringify(faults);
  const response = await fetch(`${url}/_simulated/faults`, { method: "POST", body });
  await response.arrayBuffer();
}
