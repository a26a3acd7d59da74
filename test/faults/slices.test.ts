/**
 * A short slice of each suite of `npm run test:faults`: what is promised must hold, however slow the
 * machine is. Each has its own Worker, agent and Ollama, as processes.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Finding, problemsOf } from "./figures.ts";
import { Stage } from "./stage.ts";
import { seeded } from "./suite.ts";
import { SUITES, type SuiteName } from "./suites.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1e9);

/** They wait for silence, and leave the machine to the others meanwhile. */
const WAITING: readonly SuiteName[] = ["grace", "half-open", "stall", "loss"];

let stage: Stage;
const begun = new Map<SuiteName, Promise<Finding[]>>();

const begin = (name: SuiteName) =>
  SUITES[name].slice({ stage, random: seeded(seed), say: () => {} });

beforeAll(async () => {
  stage = await Stage.open();
  for (const name of WAITING) {
    const running = begin(name);
    running.catch(() => {}); // it is told by its test
    begun.set(name, running);
  }
});

afterAll(() => stage?.[Symbol.asyncDispose]());

const inOrder = (Object.keys(SUITES) as SuiteName[]).sort(
  (a, b) => Number(WAITING.includes(a)) - Number(WAITING.includes(b)),
);

test.each(inOrder)("%s", async (name) => {
  const findings = await (begun.get(name) ?? begin(name));
  for (const { verdict, what, got } of findings)
    if (verdict === "not run") process.stderr.write(`NOT TESTED: ${what}: ${got}\n`);
  expect(problemsOf(findings), `SEED=${seed}`).toBe("");
});
