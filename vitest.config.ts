import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/**
 * Three layers. `unit`: pure code and Node programs. `workerd`: Durable Objects and routes in the
 * real runtime. `e2e`: real processes, real sockets, real client SDKs.
 */
export default defineConfig({
  test: {
    // A newcomer reads this output: what passed need not talk.
    silent: "passed-only",
    projects: [
      { test: { name: "unit", include: ["test/{protocol,agent,worker-pure,local,monitoring,simulation}/**/*.test.ts", "test/*.test.ts"] } },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" }, miniflare: { bindings: { AUTH_MODE: "open" } } })],
        test: { name: "workerd", include: ["test/worker/**/*.test.ts"] },
      },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false } },
    ],
  },
});
