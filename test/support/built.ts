/**
 * A global setup: builds the Worker, its static files and the agent, once for all tests of a run.
 *
 * Tests run what users run. An agent from its sources would also need three times the CPU to start.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { ROOT } from "../../local/edge.ts";

/** Set for the processes that this one starts: they find everything built. */
const DONE = "TESTS_BUILT";

/** Keeps the compiled form of the programs that tests start again and again, most of them TypeScript. */
const COMPILED = join(ROOT, "node_modules/.cache/compiled");

/** Builds, unless this process or the one that started it has. */
export function buildOnce(): void {
  if (process.env[DONE] !== undefined) return;
  process.env.NODE_COMPILE_CACHE ??= COMPILED;
  execFileSync(process.execPath, ["build.ts"], { cwd: ROOT, stdio: "inherit" });
  process.env[DONE] = "yes";
}

export default function setup(project: TestProject): void {
  buildOnce();
  project.onTestsRerun(() => {
    delete process.env[DONE];
    buildOnce();
  });
}
