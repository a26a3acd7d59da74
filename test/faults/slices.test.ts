/**
 * A short slice of each suite of `npm run test:faults`, side by side. The promises must hold however slow
 * the machine is. Each slice has a Worker, an agent and an Ollama of its own, as processes.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { problemsOf } from "./figures.ts";
import { Stage } from "./stage.ts";
import { seeded } from "./suite.ts";
import { SUITES, type SuiteName } from "./suites.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1e9);

/** Slices that wait for tens of seconds. They start first. */
const LONG: readonly SuiteName[] = ["grace", "clock", "half-open", "stall", "loss"];

let stage: Stage;

beforeAll(() => {
  stage = Stage.open();
});

afterAll(() => stage?.[Symbol.asyncDispose]());

const inOrder = (Object.keys(SUITES) as SuiteName[])
  .flatMap((name) => {
    const suite = SUITES[name];
    return "slice" in suite ? { name, slice: suite.slice } : [];
  })
  .sort((a, b) => Number(LONG.includes(b.name)) - Number(LONG.includes(a.name)));

test.concurrent.each(inOrder)("$name", async ({ slice }) => {
  const findings = await slice({ stage, random: seeded(seed), print: () => {} });
  for (const { verdict, subject, got } of findings)
    if (verdict === "not run") process.stderr.write(`NOT TESTED: ${subject}: ${got}\n`);
  expect(problemsOf(findings), `SEED=${seed}`).toBe("");
});
