/** Starts both engines for the project `stores` of the tests. */
import type { TestProject } from "vitest/node";
import { RunningEngines } from "./engines.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Settings of a Worker that writes to both. */
    engines: Record<string, string>;
    /** How often a test repeats what must never go wrong: `STORES_ROUNDS`. */
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
