import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { CONDITION_MS, TEST_MS } from "./test/support/patience.ts";

/**
 * Most end-to-end tests wait for processes and timers, so more files than cores run at once, beside those of
 * the other runs of `npm test`. With nine at once, heartbeats came too late on a slow machine.
 */
const WORKERS = Math.max(3, availableParallelism());

/** One file at a time: the files of such a project share one running service. */
const ONE_AT_A_TIME = { maxWorkers: 1, sequence: { groupOrder: 1 } };

/**
 * Files run one after another in each process, which loads the modules and packages that they share
 * once: a third of the CPU of `unit` and more than half of that of `workerd` went into loading them again.
 */
const IN_ONE_PROCESS = { isolate: false };

/** Packages come with source maps without their sources, which is a warning for each start. */
const QUIET = { logLevel: "error" } as const;

/** The same for every layer. */
const PATIENT = {
  testTimeout: TEST_MS,
  hookTimeout: TEST_MS,
  expect: { poll: { timeout: CONDITION_MS } },
};

/**
 * The six layers of tests:
 * - `unit`: pure code and Node programs.
 * - `workerd`: Durable Objects and routes in the real runtime.
 * - `stores`: the same with a real ClickHouse and Postgres.
 * - `browser`: the page in a real browser, on a running edge.
 * - `e2e`: real processes, real sockets, real client SDKs.
 * - `faults`: those processes killed, cut off and starved; a slice of `npm run test:faults`.
 */
export default defineConfig({
  test: {
    // Output of a test that passed only hides the failures.
    silent: "passed-only",
    maxWorkers: WORKERS,
    globalSetup: "test/support/exit.ts",
    projects: [
      {
        test: {
          ...PATIENT,
          ...IN_ONE_PROCESS,
          name: "unit",
          include: ["test/{unit,simulation}/**/*.test.ts", "test/*.test.ts"],
        },
      },
      {
        ...QUIET,
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: { AUTH_MODE: "open" } },
          }),
        ],
        test: {
          ...PATIENT,
          ...IN_ONE_PROCESS,
          name: "workerd",
          include: ["test/workerd/**/*.test.ts"],
          setupFiles: "test/workerd/fresh-edge.ts",
          globalSetup: [
            "test/support/runtime-noise.ts",
            "test/support/built.ts",
            "test/support/receiver.ts",
          ],
        },
      },
      {
        test: {
          ...PATIENT,
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          ...ONE_AT_A_TIME,
          ...IN_ONE_PROCESS,
          globalSetup: ["test/support/built.ts", "test/browser/setup.ts"],
        },
      },
      {
        ...QUIET,
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                AUTH_MODE: "open",
                METRICS_EXPORT_INTERVAL: "1",
                ...inject<Record<string, string>>("engines"),
              },
            },
          })),
        ],
        test: {
          ...PATIENT,
          ...ONE_AT_A_TIME,
          ...IN_ONE_PROCESS,
          name: "stores",
          include: ["test/stores/**/*.test.ts"],
          setupFiles: "test/workerd/fresh-edge.ts",
          globalSetup: ["test/support/runtime-noise.ts", "test/support/engines/global-setup.ts"],
        },
      },
      {
        test: {
          ...PATIENT,
          ...IN_ONE_PROCESS,
          name: "e2e",
          globalSetup: "test/support/built.ts",
          setupFiles: "test/support/one-call-a-connection.ts",
          include: ["test/e2e/**/*.test.ts"],
        },
      },
      {
        test: {
          ...PATIENT,
          ...IN_ONE_PROCESS,
          name: "faults",
          globalSetup: "test/support/built.ts",
          setupFiles: "test/support/one-call-a-connection.ts",
          include: ["test/faults/**/*.test.ts"],
          // The slices mostly wait; each has processes of its own.
          maxConcurrency: 6,
        },
      },
      {
        // Not part of `npm test`: `npm run test:executable` fetches a Node of 50 MB and builds it first.
        test: {
          ...PATIENT,
          name: "executable",
          globalSetup: "test/support/built.ts",
          include: ["test/executable/**/*.test.ts"],
        },
      },
    ],
  },
});
