/** The package as a program gets it: packed, installed offline, imported and type-checked. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../local/edge.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { BOX_NODE } from "../support/box-node.ts";
import { FakeEdge } from "../support/fake-edge.ts";
import { CONDITION_MS } from "../support/patience.ts";

const folder = mkdtempSync(join(tmpdir(), "package-"));
const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" })
  .split("\0")
  .filter((name) => name !== "");
/** A build, the types of the library and two runs of npm, which take minutes on a busy machine. */
const PACKED_MS = 300_000;
const COPIED_AT = new Date("2026-01-01T00:00:00Z");
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: ["llama3.2:latest"], loadMsPerGb: 0 });
  succeed("npm", ["run", "package", "--", "--pack-destination", folder], copyOfProject());
  const [tarball = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "program", private: true, type: "module" }),
  );
  succeed("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${tarball}`], folder);
}, PACKED_MS);

/** Packing builds `dist`, which other tests are reading. The dates of the sources show whether it writes to them. */
function copyOfProject(): string {
  const copy = join(folder, "project");
  for (const file of tracked) {
    cpSync(join(ROOT, file), join(copy, file));
    utimesSync(join(copy, file), COPIED_AT, COPIED_AT);
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"), "dir");
  return copy;
}

afterAll(async () => {
  await ollama?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("writes to no file of the project while it packs", () => {
  const written = tracked.filter(
    (file) => statSync(join(folder, "project", file)).mtimeMs !== COPIED_AT.getTime(),
  );
  expect(written).toEqual([]);
});

test("refuses to pack the project itself, and names the command that makes the package", () => {
  const { status, stderr } = spawnSync("npm", ["pack"], { cwd: ROOT, encoding: "utf8" });
  expect(status).not.toBe(0);
  expect(stderr).toContain("npm run package");
});

test("installs no other package", () => {
  expect(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(
    ["ollama-edge-serve"],
  );
});

test("declares no dependencies, and bundles the licences of the packages that it includes", () => {
  const installed = join(folder, "node_modules/ollama-edge-serve");
  expect(JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))).not.toHaveProperty(
    "dependencies",
  );
  for (const bundle of ["library/index.js", "agent/agent.mjs"]) {
    const text = readFileSync(join(installed, bundle), "utf8");
    for (const name of ["ws", "zod"])
      expect(text).toMatch(new RegExp(`^${name} [0-9.]+ \\(MIT\\)\n[^]*?Copyright`, "m"));
  }
});

const PROGRAM = `
import { ConfigError, NetworkConfig, OllamaService } from "ollama-edge-serve/agent";
try {
  new NetworkConfig({ port: -1 });
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
}
const config = new NetworkConfig({ port: 0, exporterType: "none", metricsExportInterval: 5 });
const service = new OllamaService(config);
await service.start();
const { response } = await service.generate("llama3.2", "Hello, world!", { options: { num_predict: 3 } });
console.log(JSON.stringify({ response, models: await service.getModels(), health: await service.healthCheck() }));
// Does what "await using" does, which Node 20 lacks.
await service[Symbol.asyncDispose]();
`;

test("lets a program run the service, records its calls at the edge, and exits by itself", async () => {
  await using edge = await FakeEdge.listen({ keep_text: true });
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
  const env = {
    PATH: process.env.PATH,
    EDGE_URL: edge.url,
    OLLAMA_HOST: ollama.url,
    BOX_NAME: "program",
    NVIDIA_SMI: "/nonexistent",
  };
  const ended = await run(BOX_NODE, ["program.mjs"], env);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(ended.stdout)).toMatchObject({
    response: expect.stringMatching(/./),
    models: [{ name: "llama3.2:latest" }],
    health: { healthy: true },
  });
  expect(edge.records.map(({ endpoint }) => endpoint)).toEqual([
    "/api/generate",
    "/api/tags",
    "/api/version",
  ]);
  expect(edge.records[0]).toMatchObject({
    box: "program",
    prompt: "Hello, world!",
    completion_tokens: 3,
    status: "success",
  });
});

test("installs the command ollama-edge-agent", async () => {
  const command = join(folder, "node_modules/.bin/ollama-edge-agent");
  const ended = await run(command, ["--help"], {
    PATH: `${dirname(BOX_NODE)}:${process.env.PATH}`,
  });
  expect(ended.stdout).toContain("--listen [host:]port");
});

// Each line compiles, unless the line above it expects an error.
const TYPED = `
import { type Generated, type Log, NetworkConfig, type NetworkConfigOptions, OllamaError, OllamaService } from "ollama-edge-serve/agent";
const options: NetworkConfigOptions = { host: "0.0.0.0", port: 11500, enableInstrumentation: true, exporterType: "both", metricsExportInterval: 5 };
// @ts-expect-error: not an exporter
options.exporterType = "prometheus";
const log: Log = (level, event, fields) => void [level, event, fields];
export async function main(): Promise<void> {
  await using service = new OllamaService(new NetworkConfig(options), { log });
  const answer: Generated = await service.generate("llama3.2", "Hello", { system: "Be brief.", options: { temperature: 0 } });
  const text: string = answer.response;
  const tokens: number | undefined = answer.eval_count;
  const { healthy, reason }: { healthy: boolean; reason: string | null } = await service.healthCheck();
  for (const { name, sizeBytes } of await service.getModels()) void [name.length, sizeBytes === null ? 0 : sizeBytes / 2];
  // @ts-expect-error: internal to the agent
  void new NetworkConfig(options).agent;
  void [text, tokens, healthy, reason, new OllamaError(404, "x").status];
}
`;

test("ships types that a strict program compiles against without other types", () => {
  writeFileSync(join(folder, "typed.ts"), TYPED);
  const compilerOptions = {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["typed.ts"] }),
  );
  succeed(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], folder);
});

/** Runs a command. @throws with its output if it fails */
function succeed(command: string, args: string[], cwd: string): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0)
    throw new Error(
      `${command} ${args.join(" ")}: ${error?.message ?? `exit code ${status}`}\n${stdout}\n${stderr}`,
    );
}

/** Runs a command asynchronously, because the edge that it calls is in this process. */
async function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(command, args, {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: CONDITION_MS,
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { code, stdout, stderr };
}
