/**
 * A stack for end-to-end tests: the local edge and agent processes, with ports and folders of their
 * own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT, Edge, ROOT, waitFor } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { type BoxDetail, Boxes, Health } from "../../protocol/api/fleet.ts";
import { type LogEntry, Logs } from "../../protocol/api/logs.ts";
import { CurrentStats } from "../../protocol/api/stats.ts";
import { buildOnce } from "./built.ts";
import { CONDITION_MS } from "./patience.ts";
import { sharedReaper } from "./shared-reaper.ts";

export type AgentPlan = {
  name: string;
  ollamaUrl: string;
  edgeUrl?: string;
  /** The file of the agent; that of the build by default. */
  program?: string;
  args?: string[];
  env?: Record<string, string>;
};

export class TestStack implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "edge-test-"));
  readonly port: number;
  readonly #reaper = sharedReaper();
  readonly #settings: Record<string, string>;
  #edge: Edge | null = null;
  readonly #agents: Child[] = [];
  readonly #agentLines: string[] = [];

  private constructor(port: number, settings: Record<string, string>) {
    this.port = port;
    this.#settings = settings;
  }

  /** @param settings  settings of the Worker; open mode by default */
  static async start(settings: Record<string, string> = { AUTH_MODE: "open" }): Promise<TestStack> {
    const stack = new TestStack(await freePort(), settings);
    buildOnce();
    await stack.startEdge();
    return stack;
  }

  /** @throws if the Worker is not running */
  get workerPid(): number {
    if (this.#edge?.worker.pid === undefined) throw new Error("the Worker is not running");
    return this.#edge.worker.pid;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @param settings  the settings of the first start by default */
  async startEdge(settings = this.#settings): Promise<void> {
    const edge = await Edge.start(
      { port: this.port, folder: join(this.folder, "edge"), settings },
      this.#reaper,
    );
    this.#edge = edge;
    await waitFor(`${this.url}/healthz`, edge.worker, CONDITION_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${edge.worker.tail().join("\n")}`);
    });
  }

  async stopEdge(): Promise<void> {
    await this.#edge?.stop();
    this.#edge = null;
  }

  /** Kills the whole Worker, as a crash would. */
  async killEdge(): Promise<void> {
    this.#edge?.kill();
    await this.#edge?.worker.ended;
    await this.stopEdge();
  }

  /** Starts an agent, and waits until its box is up and has reported its Ollama. */
  async startAgent(plan: AgentPlan): Promise<Child> {
    const { name } = plan;
    const agent = this.spawnAgent(plan);
    await eventually(
      async () =>
        (await this.boxes()).some(
          (box) => box.name === name && box.state === "up" && box.ollama_reachable !== null,
        ),
      () => agent.tail().join("\n"),
    );
    return agent;
  }

  spawnAgent(plan: AgentPlan): Child {
    const { name, ollamaUrl, edgeUrl = this.url, program = AGENT, args = [], env = {} } = plan;
    const settings = {
      EDGE_URL: edgeUrl,
      BOX_NAME: name,
      OLLAMA_HOST: ollamaUrl,
      STATE_DIR: join(this.folder, name),
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
    };
    const agent = new Child(
      {
        name: `agent ${name}`,
        args: [program, ...args],
        env: { ...process.env, ...settings, ...env },
        cwd: ROOT,
        onLine: (line) => this.#agentLines.push(line),
      },
      this.#reaper,
    );
    this.#agents.push(agent);
    return agent;
  }

  /** Returns what all agents printed, and the last lines of the Worker. */
  output(): string[] {
    return [...this.#agentLines, ...(this.#edge?.worker.tail() ?? [])];
  }

  async json(path: string, init?: RequestInit): Promise<unknown> {
    const answer = await fetch(this.url + path, init);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  health = async () => Health.parse(await this.json("/api/health"));
  stats = async () => CurrentStats.parse(await this.json("/api/stats/current"));
  boxes = async (): Promise<BoxDetail[]> => Boxes.parse(await this.json("/api/boxes")).boxes;
  logs = async (query = "limit=1000") => Logs.parse(await this.json(`/api/stats/logs?${query}`));

  /** Waits until the record of a request is in the ledger. */
  record(id: string | null): Promise<LogEntry> {
    return eventually(async () => (await this.logs(`id=${id}`)).logs[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop(2_000)));
    await this.stopEdge();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const POLL_MS = 25;
const POLL_MS_MAX = 250;

/**
 * Reads again until the value is neither false nor undefined. A read costs the processes that the test
 * waits for some time, so each pause is a tenth of the wait so far.
 * @throws with `details()` when its time is over, as the test would hang otherwise
 */
export async function eventually<T>(
  read: () => Promise<T | undefined | false>,
  details: () => string = () => "",
): Promise<T> {
  const startMs = performance.now();
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    const waitedMs = performance.now() - startMs;
    if (waitedMs > CONDITION_MS)
      throw new Error(`Gave up after ${CONDITION_MS / 1_000} s. ${details()}`);
    const pauseMs = Math.min(POLL_MS_MAX, Math.max(POLL_MS, waitedMs / 10));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

const STILL_MS = 300;

/** Waits until a count stops changing. */
export async function untilStill(count: () => number): Promise<void> {
  let before = -1;
  await eventually(async () => {
    const isStill = count() === before;
    before = count();
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    return isStill && count() === before;
  });
}

/** An address where nothing listens: the system never assigns this port. */
export const NOBODY = "http://127.0.0.1:9";

/**
 * A free port for a program that must be given one, below those that systems assign by themselves: a
 * connection of another test could take one of these first. A program that can listen on port 0 should.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error("no port is free");
}
