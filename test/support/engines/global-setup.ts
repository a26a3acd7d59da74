/** Starts both engines for the test project `stores`. */
import type { TestProject } from "vitest/node";
import { RunningEngines } from "./engines.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The settings of a Worker that writes to both stores. */
    engines: Record<string, string>;
    /** Rounds of the tests that repeat their steps, from `STORES_ROUNDS`. */
    rounds: number;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engines = new RunningEngines();
  try {
    const { settings } = await engines.start();
    project.provide("engines", settings);
    project.provide("rounds", Number(process.env.STORES_ROUNDS ?? 20));
  } catch (error) {
    await engines[Symbol.asyncDispose]();
    throw error;
  }
  return () => engines[Symbol.asyncDispose]();
}
