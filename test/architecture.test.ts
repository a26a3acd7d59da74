import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";

// Who may import whom. This table is the architecture; the README draws it.
const MAY_IMPORT: Record<string, { folders: string[]; packages: RegExp }> = {
  protocol: { folders: ["protocol"], packages: /^zod$/ },
  worker: {
    folders: ["worker", "protocol"],
    packages: /^(zod|hono|cloudflare:workers|@clickhouse\/client-web|@neondatabase\/serverless)(\/|$)/,
  },
  agent: { folders: ["agent", "protocol"], packages: /^(zod|ws|node:.*)$/ },
  dashboard: {
    folders: ["dashboard", "protocol"],
    packages: /^(zod|preact(\/hooks)?|@preact\/signals|uplot(\/dist\/uPlot\.min\.css)?|marked|dompurify)$/,
  },
  local: { folders: ["local", "simulated", "agent", "protocol", "worker/export"], packages: /^(zod|node:.*)$/ },
  monitoring: { folders: ["monitoring"], packages: /^(@grafana\/grafana-foundation-sdk\/.*|node:.*)$/ },
};

test.each(Object.entries(MAY_IMPORT))("%s imports only what it may", (folder, { folders, packages }) => {
  const files = sourcesIn(folder);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    for (const [, target] of readFileSync(file, "utf8").matchAll(/^(?:import|export)[^"';]*? from "([^"]+)"|^import "([^"]+)"/gms)) {
      if (target === undefined) continue;
      if (target.startsWith("."))
        expect(
          folders.some((allowed) => posix.join(posix.dirname(file), target).startsWith(`${allowed}/`)),
          `${file} imports ${target}`,
        ).toBe(true);
      else expect(target, `${file} imports ${target}`).toMatch(packages);
    }
  }
});

// Inside the worker: pure files know no Durable Object, and routes are used by the app alone.
test("the worker's layers point one way", () => {
  for (const file of sourcesIn("worker")) {
    const source = readFileSync(file, "utf8");
    const isEntry = /worker\/(index|app)\.ts$/.test(file);
    if (!isEntry) expect(source, `${file} imports a route`).not.toMatch(/from "(\.|\.\.)\/routes\//);
    if (!isEntry) expect(source, `${file} imports the app`).not.toMatch(/from "\.\.?\/app\.ts"/);
    if (!/worker\/(index|box|aggregator)\.ts$/.test(file)) {
      expect(source, `${file} imports a Durable Object at run time`).not.toMatch(
        /^import (?!type)[^;]*from "\.\.?\/(box|aggregator)\.ts"/m,
      );
    }
  }
});

function sourcesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => posix.join(folder, name));
}
