/**
 * Builds what the Worker serves as static files: the page, and the agent as one file, so that the
 * agent always matches its Worker. wrangler runs this before `dev` and `deploy`. And the agent as
 * the library that the package is for programs: with all it needs inside, so it brings no packages along.
 */
import { cpSync, mkdirSync } from "node:fs";
import { type BuildOptions, build } from "esbuild";
import { build as buildPage, type InlineConfig } from "vite";

const OUT = "dist/assets";

// Written in place, never emptied first: another start may be reading it just now.
mkdirSync(`${OUT}/agent`, { recursive: true });
for (const file of ["install.sh", "ollama-edge-agent.service"])
  cpSync(`agent/install/${file}`, `${OUT}/agent/${file}`);

const onNode: BuildOptions = {
  bundle: true,
  platform: "node",
  format: "esm",
  // Boxes run what their distribution ships.
  target: "node20",
  // ws asks for these optional native helpers at run time and does without them.
  external: ["bufferutil", "utf-8-validate"],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  legalComments: "inline",
};

const page: InlineConfig = {
  configFile: false,
  root: "dashboard",
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: `../${OUT}`,
    emptyOutDir: false,
    target: "es2022",
    // Every browser of that age does it by itself.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: { page: "dashboard/index.html", docs: "dashboard/docs.css" },
      output: {
        // No hashes: old files would stay, and the platform answers If-None-Match.
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
};

await Promise.all([
  build({ ...onNode, entryPoints: ["agent/main.ts"], outfile: `${OUT}/agent/agent.mjs` }),
  build({ ...onNode, entryPoints: ["agent/index.ts"], outfile: "dist/library/index.js" }),
  buildPage(page),
]);
