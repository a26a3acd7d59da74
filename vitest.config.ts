import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/**
 * Six layers. `unit`: pure code and Node programs. `workerd`: Durable Objects and routes in the
 * real runtime. `stores`: the same, with the real ClickHouse and Postgres. `browser`: the page in a real
 * one, on a running edge. `e2e`: real processes, real sockets, real client SDKs. `faults`: those processes
 * killed, cut off and starved; a slice of what `npm run test:faults` does.
 */
export default defineConfig({
  test: {
    // A newcomer reads this output: what passed need not talk.
    silent: "passed-only",
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/{unit,simulation}/**/*.test.ts", "test/*.test.ts"],
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: { AUTH_MODE: "open" } },
          }),
        ],
        test: { name: "workerd", include: ["test/workerd/**/*.test.ts"] },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          // One after the other, in one process: each would load the driver of the browser again.
          isolate: false,
          globalSetup: "test/browser/setup.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: { AUTH_MODE: "open", ...inject<Record<string, string>>("engines") },
            },
          })),
        ],
        test: {
          name: "stores",
          include: ["test/stores/**/*.test.ts"],
          globalSetup: "test/support/engines/global-setup.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
