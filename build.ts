/**
 * Builds what the Worker serves as static files: the page, and the agent as one file, so that the
 * agent always matches its Worker. wrangler runs this before `dev` and `deploy`.
 */
import { cpSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

const OUT = "dist/assets";

// Written in place, never emptied first: another start may be reading it just now.
mkdirSync(`${OUT}/agent`, { recursive: true });
cpSync("dashboard/index.html", `${OUT}/index.html`);
for (const file of ["install.sh", "ollama-edge-agent.service"]) cpSync(`agent/install/${file}`, `${OUT}/agent/${file}`);

await Promise.all([
  build({
    entryPoints: ["agent/main.ts"],
    outfile: `${OUT}/agent/agent.mjs`,
    bundle: true,
    platform: "node",
    format: "esm",
    // Boxes run what their distribution ships.
    target: "node20",
    // ws asks for these optional native helpers at run time and does without them.
    external: ["bufferutil", "utf-8-validate"],
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
    legalComments: "inline",
  }),
  build({
    entryPoints: ["dashboard/page.ts", "dashboard/page.css", "dashboard/docs.css"],
    outdir: `${OUT}/assets`,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
  }),
]);
