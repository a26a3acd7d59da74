/** `npm start` as a newcomer meets it: the real program, its output, its signals and its errors. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import { afterEach, expect, test } from "vitest";
import { ROOT } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { type Reaper, startReaper } from "../../local/reaping.ts";
import { Health } from "../../protocol/api/fleet.ts";
import { CurrentStats } from "../../protocol/api/stats.ts";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

const STOP_MS = 15_000;
const started: { child: Child; reaper: Reaper }[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const { child, reaper } of started.splice(0)) {
    await child.stop(STOP_MS);
    reaper.close();
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "start-test-"));
  folders.push(made);
  return made;
}

class Start {
  readonly child: Child;
  readonly lines: string[] = [];
  readonly url: string;

  constructor(env: Record<string, string>) {
    const reaper = startReaper();
    this.url = `http://127.0.0.1:${env.PORT}`;
    const { npm_lifecycle_event: _, ...own } = process.env;
    this.child = new Child(
      {
        name: "start",
        args: [join(ROOT, "local/start.ts")],
        env: { ...own, ...env },
        cwd: ROOT,
        onLine: (line) => this.lines.push(line),
      },
      reaper,
    );
    started.push({ child: this.child, reaper });
  }

  async ready(): Promise<this> {
    await eventually(
      async () => this.lines.includes(`ready ${this.url}`) || this.child.hasEnded,
      () => this.lines.join("\n"),
    );
    if (this.child.hasEnded) throw new Error(this.lines.join("\n"));
    return this;
  }

  stats = async () =>
    CurrentStats.parse(await (await fetch(`${this.url}/api/stats/current`)).json());
  health = async () => Health.parse(await (await fetch(`${this.url}/api/health`)).json());
}

/**
 * Returns the processes with this folder in their command line or environment: everything that a
 * start created.
 */
function processesOf(stateDir: string): string[] {
  const read = (path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return ""; // the process has ended
    }
  };
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) =>
      (read(`/proc/${pid}/cmdline`) + read(`/proc/${pid}/environ`)).includes(stateDir),
    );
}

/** Returns the TCP ports on which these processes listen. */
function listeningPorts(pids: readonly string[]): number[] {
  const inodes = new Set(
    pids.flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
    ),
  );
  const LISTEN = "0A";
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) =>
    readFileSync(table, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, , , state, , , , , , inode]) => state === LISTEN && inodes.has(`socket:[${inode}]`),
      )
      .map(([, local = ""]) => Number.parseInt(local.split(":")[1] ?? "", 16)),
  );
}

test("prints its steps, listens only on its own port, refuses a rebound host name, and leaves no process when it is killed", async () => {
  await using ollama = await simulated();
  const env = { PORT: String(await freePort()), STATE_DIR: folder(), OLLAMA_HOST: ollama.url };
  const start = await new Start(env).ready();
  expect(start.lines.slice(0, start.lines.indexOf(`ready ${start.url}`))).toEqual([
    "Building the Worker, the page and the agent …",
    `Starting the edge on ${start.url} …`,
  ]);
  expect(listeningPorts(processesOf(env.STATE_DIR))).toEqual([Number(env.PORT)]);

  const rebound = { host: "evil.example", "mf-original-url": `${start.url}/api/stats/logs` };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${start.url}/api/stats/logs`, { headers: rebound }, resolve).on("error", reject);
  });
  answer.resume();
  expect(answer.statusCode).toBe(403);

  start.child.signal("SIGKILL");
  await eventually(
    async () => processesOf(env.STATE_DIR).length === 0,
    () => processesOf(env.STATE_DIR).join(),
  );
});

test("serves the Ollama of this machine, continues its counters at the next start, and leaves no process", async () => {
  await using ollama = await simulated();
  const env = {
    PORT: String(await freePort()),
    STATE_DIR: folder(),
    OLLAMA_HOST: ollama.url,
    BOX_NAME: "desk",
  };
  const first = await new Start(env).ready();
  const client = new Ollama({ host: `${first.url}/ollama` });
  expect((await client.list()).models.length).toBeGreaterThan(0);
  await client.chat({ model: "llama3.2", messages: [{ role: "user", content: "Hello" }] });
  await eventually(async () => (await first.stats()).total_requests === 2);
  expect(await first.health()).toMatchObject({
    simulated: false,
    boxes: [{ name: "desk", state: "up", simulated: false }],
  });
  expect(first.lines.join("\n")).not.toMatch(/wrangler|workerd/i);

  const second = new Start(env);
  expect(await second.child.ended).toMatchObject({ code: 1 });
  expect(second.lines.join("\n")).toMatch(/STATE_DIR .* is in use by another start \(pid \d+\)/);

  first.child.signal("SIGINT");
  expect(await first.child.ended).toEqual({ code: 0, signal: null });
  await eventually(
    async () => processesOf(env.STATE_DIR).length === 0,
    () => processesOf(env.STATE_DIR).join(),
  );

  const third = await new Start(env).ready();
  expect((await third.stats()).total_requests).toBe(2);
  third.child.signal("SIGTERM");
  expect(await third.child.ended).toEqual({ code: 0, signal: null });
  await eventually(async () => processesOf(env.STATE_DIR).length === 0);
});

test("simulates a box if Ollama does not answer, labels it everywhere, and changes to the real one when it starts", async () => {
  const port = await freePort();
  const env = {
    PORT: String(await freePort()),
    STATE_DIR: folder(),
    OLLAMA_HOST: `127.0.0.1:${port}`,
    BOX_NAME: "desk",
  };
  const start = await new Start(env).ready();
  expect(start.lines.join("\n")).toMatch(/Ollama does not answer at .*simulated/s);
  expect(await start.health()).toMatchObject({ simulated: true, boxes: [{ simulated: true }] });
  const client = new Ollama({ host: `${start.url}/ollama` });
  expect((await client.list()).models.length).toBeGreaterThan(0);
  // The last line is a call to copy, and it works.
  const shown = () => /curl (\S+) -d '(.*)'/.exec(start.lines.at(-1) ?? "") ?? undefined;
  const [, url, body] = await eventually(async () => shown());
  expect((await fetch(String(url), { method: "POST", body: String(body) })).status).toBe(200);
  await eventually(async () => (await start.stats()).total_requests === 2);
  expect(await (await fetch(`${start.url}/api/metrics`)).text()).toContain(
    'ollama_box_simulated{box="desk"} 1',
  );

  await using _ = await simulated(port);
  await eventually(
    async () => !(await start.health().catch(() => ({ simulated: true }))).simulated,
    () => start.lines.join("\n"),
  );
  await eventually(async () => (await start.health()).boxes.some(({ state }) => state === "up"));
  // No simulated request is counted.
  expect((await start.stats()).total_requests).toBe(0);
});

/**
 * It takes 0.3 s on a quiet machine, nearly all of it to load the program, which takes far longer
 * beside thirty others.
 */
const REFUSED_MS = 10_000;

test("a key of any characters reaches the Worker unchanged, and lies in no file", async () => {
  const key = "pa$$ {HOME} '\"`\\#=; 0123456789".replaceAll(" ", "_");
  await using stack = await TestStack.start({ AUTH_MODE: "keys", ADMIN_KEY: key });
  const statusWith = async (offered: string) =>
    (await fetch(`${stack.url}/api/config`, { headers: { "x-api-key": offered } })).status;
  expect(await statusWith(key)).toBe(200);
  expect(await statusWith(`${key}x`)).toBe(401);
  const files = readdirSync(stack.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name)));
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((content) => content.includes(key))).toEqual([]);
});

const REFUSED: [name: string, env: () => Promise<Record<string, string>>, message: RegExp][] = [
  [
    "a port in use",
    async () => ({ PORT: await takenPort() }),
    /PORT \d+ is in use by another program/,
  ],
  ["an invalid port", async () => ({ PORT: "eighty" }), /PORT is not a port/],
  [
    "a state folder that cannot exist",
    async () => ({ STATE_DIR: fileIn(folder()) }),
    /STATE_DIR .* (cannot be created|is not writable|is not a folder)/,
  ],
  ["an invalid address of Ollama", async () => ({ OLLAMA_HOST: "http:///bad" }), /OLLAMA_HOST/],
  ["an invalid box name", async () => ({ BOX_NAME: "my box" }), /BOX_NAME/],
  ["AUTH_MODE=keys without a key", async () => ({ AUTH_MODE: "keys" }), /ADMIN_KEY .*npm start/],
  ["an unknown AUTH_MODE", async () => ({ AUTH_MODE: "foo" }), /AUTH_MODE .*"keys" or "open"/],
  ["a store without an address", async () => ({ EXPORTER_TYPE: "clickhouse" }), /CLICKHOUSE_URL/],
  ["a weak key", async () => ({ AUTH_MODE: "keys", ADMIN_KEY: "weak" }), /ADMIN_KEY .*openssl/],
];

test.each(REFUSED)(
  "%s is reported in one clear line before anything starts",
  async (_name, envOf, message) => {
    const env = { PORT: String(await freePort()), STATE_DIR: folder(), ...(await envOf()) };
    const start = new Start(env);
    const startedMs = performance.now();
    expect((await start.child.ended).code).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(REFUSED_MS);
    expect(start.lines.join("\n")).toMatch(message);
    expect(start.lines.join("\n")).not.toMatch(/^\s+at /m); // no stack trace
    expect(start.lines.join("\n")).not.toMatch(/wrangler|Building/);
    expect(existsSync(join(env.STATE_DIR, "edge"))).toBe(false);
  },
);

async function simulated(port = 0) {
  const ollama = await startSimulatedOllama({ port, models: ["llama3.2:latest"], loadMsPerGb: 0 });
  return { ...ollama, [Symbol.asyncDispose]: () => ollama.close() };
}

async function takenPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const address = server.address();
  return String(typeof address === "object" ? address?.port : 0);
}

function fileIn(parent: string): string {
  const path = join(parent, "a-file");
  writeFileSync(path, "");
  return path;
}
