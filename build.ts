/**
 * Builds the static files of the Worker, the programs for local runs, and the library of the package.
 *
 * The Worker serves the page, and the agent as one file, so that a box installs the agent of its Worker.
 * Wrangler runs this program before `dev` and `deploy`. The library is the agent for programs: one
 * file that contains its packages, so that installing it brings no others along.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { build as buildPage, type InlineConfig } from "vite";
import { installerOf } from "./local/installer.ts";
import { commentOf, noticesOf, packagesOf } from "./local/notices.ts";

// Vite follows it, and the files of the page would have other names in a build that a test starts.
process.env.NODE_ENV = "production";

const OUT = "dist/assets";
const HASHED = "assets/immutable";
/** Icons of the installed page, which its manifest links by their names. */
const ICONS = ["icon.svg", "icon-192.png", "icon-512.png", "icon-maskable-512.png"];
const ICONS_OUT = `${OUT}/assets/icons`;
const NOTICES = `${OUT}/assets/third-party-notices.txt`;
const LIBRARY = "dist/library";
const LOCAL = "dist/local";

const inOneFile = {
  bundle: true,
  format: "esm",
  metafile: true,
  write: false,
  legalComments: "inline",
} as const satisfies BuildOptions;

const onNode = {
  ...inOneFile,
  platform: "node",
  // Boxes run the Node of their distribution.
  target: "node20",
  // ws loads these optional native helpers at run time and works without them.
  external: ["bufferutil", "utf-8-validate"],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
} as const satisfies BuildOptions;

const page: InlineConfig = {
  configFile: false,
  root: "dashboard",
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    write: false,
    target: "es2022",
    // Every browser that runs es2022 preloads modules by itself.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        page: "dashboard/index.html",
        docs: "dashboard/docs.css",
        "docs-try": "dashboard/docs-try.ts",
      },
      output: {
        // Browsers keep files with a hash for a year: see worker/routes/page.ts.
        // The Worker links the script and the style of /api/docs by their names.
        entryFileNames: ({ name }) =>
          name === "docs-try" ? "assets/docs.js" : `${HASHED}/[name]-[hash].js`,
        chunkFileNames: `${HASHED}/[name]-[hash].js`,
        assetFileNames: ({ names }) =>
          names.includes("docs.css")
            ? "assets/[name][extname]"
            : `${HASHED}/[name]-[hash][extname]`,
      },
    },
  },
};

/**
 * Writes a file unless it already has this content. Every `wrangler dev` on this checkout watches the
 * assets and reloads its Worker when one is written, which cuts its tunnels. Renamed into place,
 * because another start may be reading it.
 */
function writeIfChanged(path: string, content: string | Uint8Array): void {
  const bytes = Buffer.from(content);
  try {
    if (readFileSync(path).equals(bytes)) return;
  } catch {
    // The file does not exist yet.
  }
  const partial = join("dist", `.partial-${process.pid}`);
  writeFileSync(partial, bytes);
  renameSync(partial, path);
}

/** Bundles a program for Node and writes it with its notices at the end. Returns its packages. */
async function writeForNode(entryPoint: string, outfile: string): Promise<string[]> {
  const { metafile, outputFiles } = await build({ ...onNode, entryPoints: [entryPoint], outfile });
  const packages = packagesOf(Object.keys(metafile.inputs));
  const notices = commentOf(noticesOf(".", packages));
  for (const { path, text } of outputFiles) writeIfChanged(path, text + notices);
  return packages;
}

/**
 * Builds the page. Returns its packages. Files of an older build go last: a page that is open misses
 * them, reports that there is a new version, and reloads.
 */
async function writePage(): Promise<string[]> {
  const files: string[] = [];
  const collect = {
    name: "collect",
    moduleParsed: ({ id }: { id: string }) => void files.push(id),
  };
  const built = await buildPage({ ...page, plugins: [collect] });
  if (!("output" in built)) throw new Error("Vite returned no files for the page.");
  // The page comes after the files that it links.
  const isPage = (file: { fileName: string }) => file.fileName === "index.html";
  for (const file of built.output.toSorted((a, b) => Number(isPage(a)) - Number(isPage(b))))
    writeIfChanged(join(OUT, file.fileName), file.type === "chunk" ? file.code : file.source);
  const icons = ICONS.map((name) => join(ICONS_OUT, name));
  const kept = new Set([
    NOTICES,
    ...icons,
    ...built.output.map(({ fileName }) => join(OUT, fileName)),
  ]);
  for (const file of readdirSync(`${OUT}/assets`, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && !kept.has(path)) rmSync(path, { force: true });
  }
  return packagesOf(files);
}

/**
 * Bundles a program for workerd, with the same bundler and options as wrangler does for a deploy.
 * Returns its packages.
 */
async function writeForWorkerd(entryPoint: string, outfile: string): Promise<string[]> {
  const { metafile, outputFiles } = await build({
    ...inOneFile,
    entryPoints: [entryPoint],
    outfile,
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    define: {
      "navigator.userAgent": '"Cloudflare-Workers"',
      "process.env.NODE_ENV": '"production"',
    },
    external: ["cloudflare:*"],
  });
  for (const { path, contents } of outputFiles) writeIfChanged(path, contents);
  return packagesOf(Object.keys(metafile.inputs));
}

// Files are overwritten and folders never emptied: another start may be reading them.
for (const folder of [`${OUT}/agent`, `${OUT}/${HASHED}`, ICONS_OUT, LIBRARY, LOCAL])
  mkdirSync(folder, { recursive: true });
const unit = readFileSync("agent/install/ollama-edge-agent.service");
writeIfChanged(`${OUT}/agent/ollama-edge-agent.service`, unit);

// Browsers ask for this path by themselves, whatever the page links.
writeIfChanged(`${OUT}/favicon.ico`, readFileSync("dashboard/icons/favicon.ico"));
for (const name of ICONS)
  writeIfChanged(join(ICONS_OUT, name), readFileSync(`dashboard/icons/${name}`));

const packages = await Promise.all([
  writeForNode("agent/main.ts", `${OUT}/agent/agent.mjs`),
  writeForNode("agent/index.ts", `${LIBRARY}/index.js`),
  writePage(),
  writeForWorkerd("worker/index.ts", `${LOCAL}/worker.js`),
]);
const agent = readFileSync(`${OUT}/agent/agent.mjs`);
const installer = installerOf(readFileSync("agent/install/install.sh", "utf8"), { agent, unit });
writeIfChanged(`${OUT}/agent/install.sh`, installer);
await writeForNode("simulated/nvidia-smi.ts", `${LOCAL}/nvidia-smi.mjs`);
await writeForWorkerd("local/assets.ts", `${LOCAL}/assets.js`);
writeIfChanged(NOTICES, noticesOf(".", [...new Set(packages.flat())].sort()));
