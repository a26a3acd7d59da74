/** A chain: one Worker, agent and stand-in Ollama with a proxy between agent and Worker. Each process can be killed and restarted. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import { Boxes } from "../../protocol/api/fleet.ts";
import { LogEntry } from "../../protocol/api/logs.ts";
import { CurrentStats } from "../../protocol/api/stats.ts";
import type { Child, Children } from "../bench/children.ts";
import { startWorkerd } from "../bench/workerd.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { freePort } from "../support/stack.ts";
import { type Accounts, compare } from "./accounts.ts";
import { Callers } from "./callers.ts";
import { listens, until } from "./waiting.ts";
import { startWrangler } from "./wrangler.ts";

/**
 * Longest wait for the last record. The stream of a dead Worker ends after the grace period of 30 s. An
 * agent holds records back until its tunnel has been up for 5.5 s, which takes long on a busy machine.
 */
const SETTLE_MS = 180_000;

export type ChainPlan = {
  /** The command that starts the agent, before Node and the agent's file. */
  agentCommand?: readonly string[];
  agentEnv?: Record<string, string>;
  /** Inspector port of workerd. */
  inspectorPort?: number;
  /** Arguments of the agent. */
  agentArgs?: string[];
  /** Folder of the agent's state; one in the stage's folder by default. */
  stateDir?: string;
  /** Folder with a wrangler.toml. The Worker then runs in `wrangler dev` instead of workerd. */
  wranglerFolder?: string;
  /** A second box with the same model. */
  hasTwin?: boolean;
};

/** The parts of a stage that a chain uses. */
export type StageResources = {
  children: Children;
  /** Temporary folder of the stage. */
  folder: string;
  /** Path of the Worker's bundle. */
  script: string;
  /** Path of the installed agent: one file. */
  agentFile: string;
};

export type Part = "workerd" | "agent" | "ollama" | "twin-agent" | "twin-ollama";

export class Chain implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** The proxy between agent and Worker. */
  readonly proxy: CuttingProxy;
  readonly callers: Callers;
  readonly #stage: StageResources;
  readonly #plan: ChainPlan;
  readonly #ollamaPort: number;
  readonly #twinPort: number;
  readonly #parts = new Map<Part, Child>();
  /** The bundle that workerd uses from its next start. */
  script: string;

  private constructor(
    stage: StageResources,
    name: string,
    plan: ChainPlan,
    port: number,
    [ollamaPort, twinPort]: readonly [number, number],
    proxy: CuttingProxy,
  ) {
    this.#stage = stage;
    this.name = name;
    this.#plan = plan;
    this.port = port;
    this.#ollamaPort = ollamaPort;
    this.#twinPort = twinPort;
    this.proxy = proxy;
    this.callers = new Callers(name, port, plan.wranglerFolder !== undefined);
    this.script = stage.script;
  }

  static async start(stage: StageResources, name: string, plan: ChainPlan): Promise<Chain> {
    const port = await freePort();
    const ollamas = [await freePort(), await freePort()] as const;
    const chain = new Chain(stage, name, plan, port, ollamas, await CuttingProxy.start(port));
    await Promise.all([chain.start("workerd"), chain.start("ollama")]);
    await chain.start("agent");
    if (plan.hasTwin === true) {
      await chain.start("twin-ollama");
      await chain.start("twin-agent");
    }
    await chain.untilServing();
    return chain;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  part(part: Part): Child {
    const child = this.#parts.get(part);
    if (child === undefined) throw new Error(`${this.name} has no ${part}`);
    return child;
  }

  /**
   * Starts a part. Workerd and Ollama listen when this resolves; the agent may still be connecting.
   */
  async start(part: Part): Promise<void> {
    this.#parts.set(part, await this.#starters[part]());
  }

  /** Kills a part with SIGKILL. */
  async kill(part: Part): Promise<void> {
    await this.part(part).kill();
  }

  async restart(part: Part): Promise<void> {
    await this.kill(part);
    await this.start(part);
  }

  /**
   * Ends the agent's remaining streams, so that nothing waits for their grace periods: those of
   * dead Workers, and those whose last acknowledgement was lost. An agent ends them at once on a
   * second SIGTERM.
   */
  async endWaiting(): Promise<void> {
    await this.untilServing();
    for (const part of ["agent", "twin-agent"] as const) {
      const agent = this.#parts.get(part);
      if (agent === undefined) continue;
      agent.signal("SIGTERM");
      await sleep(100); // two signals at once may arrive as one
      agent.signal("SIGTERM");
      await agent.ended();
      await this.start(part);
    }
    await this.untilServing();
  }

  /** Waits until a call would be served by this many boxes. */
  async untilServing(boxes = 1): Promise<void> {
    await until(
      async () =>
        (await this.boxes()).filter(
          ({ state, ollama_reachable }) => state === "up" && ollama_reachable === true,
        ).length >= boxes,
      `${this.name} serves by ${boxes}`,
    );
  }

  async boxes(): Promise<Boxes["boxes"]> {
    return Boxes.parse(await this.#json("/api/boxes")).boxes;
  }

  async stats(): Promise<CurrentStats> {
    return CurrentStats.parse(await this.#json("/api/stats/current"));
  }

  /** Returns the whole ledger, newest first. */
  async rows(): Promise<LogEntry[]> {
    const text = await (await fetch(`${this.url}/api/stats/logs?format=ndjson`)).text();
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => LogEntry.parse(JSON.parse(line)));
  }

  /** Returns the value of one series in `/api/metrics`, whose name is spelled as there. */
  async metric(series: string): Promise<number> {
    const lines = (await (await fetch(`${this.url}/api/metrics`)).text()).split("\n");
    return Number(
      lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1) ?? Number.NaN,
    );
  }

  /** Returns the keys of the calls that reached Ollama. */
  reachedKeys(): Set<string> {
    const file = this.#callsFile;
    return new Set(
      existsSync(file)
        ? readFileSync(file, "utf8")
            .split("\n")
            .filter((key) => key !== "")
        : [],
    );
  }

  /**
   * Compares the callers' ledger with the edge's as soon as they agree, or when nothing more can
   * arrive. All parts must be running.
   * @param settleMs  time in which records may still arrive
   */
  async accounts(settleMs = SETTLE_MS): Promise<Accounts> {
    const deadline = performance.now() + settleMs;
    for (;;) {
      const rows = await this.rows();
      const counted = (await this.stats()).total_requests;
      const accounts = compare(this.callers.entries, this.reachedKeys(), {
        rows,
        counted,
        exported: await this.metric("ollama_requests_total"),
      });
      if (accounts.problems.length === 0 || performance.now() > deadline) return accounts;
      await sleep(500);
    }
  }

  /** Returns the number of bytes of an answer that Ollama sent. */
  async written(key: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.#ollamaPort}/written/${key}`);
    return ((await answer.json()) as { bytes: number }).bytes;
  }

  /** Kills every process of this chain. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const call of this.callers.open) call.leave();
    await Promise.all([...this.#parts.values()].map((child) => child.kill()));
    await this.proxy[Symbol.asyncDispose]();
  }

  get stateDir(): string {
    return this.#plan.stateDir ?? join(this.#stage.folder, `${this.name}-agent`);
  }

  get #callsFile(): string {
    return join(this.#stage.folder, `${this.name}.calls`);
  }

  readonly #starters: Record<Part, () => Promise<Child>> = {
    workerd: () =>
      this.#plan.wranglerFolder !== undefined
        ? startWrangler(this.#stage, this, this.#plan.wranglerFolder)
        : startWorkerd(this.#stage.children, this.#stage.folder, this.port, {
            name: this.name,
            script: this.script,
            objects: { Box: "BOX", Aggregator: "AGGREGATOR", Quota: "QUOTA" },
            variables: { AUTH_MODE: "open" },
            ...(this.#plan.inspectorPort === undefined
              ? {}
              : { inspectorPort: this.#plan.inspectorPort }),
          }),
    agent: async () => this.#startAgent("box", this.#ollamaPort, this.stateDir),
    ollama: () => this.#startOllama(this.#ollamaPort),
    "twin-agent": async () => this.#startAgent("twin", this.#twinPort, `${this.stateDir}-twin`),
    "twin-ollama": () => this.#startOllama(this.#twinPort),
  };

  #startAgent(box: string, ollamaPort: number, stateDir: string): Child {
    const env = {
      EDGE_URL: this.proxy.url,
      BOX_NAME: box,
      OLLAMA_HOST: `http://127.0.0.1:${ollamaPort}`,
      // The stand-in serves all requests at once.
      OLLAMA_NUM_PARALLEL: "10000",
      STATE_DIR: stateDir,
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
      LOG_FORMAT: "json",
      ...this.#plan.agentEnv,
    };
    const [command = process.execPath, ...args] = [
      ...(this.#plan.agentCommand ?? []),
      process.execPath,
      this.#stage.agentFile,
    ];
    args.push(...(this.#plan.agentArgs ?? []));
    return this.#stage.children.start({
      name: `${this.name} agent of ${box}`,
      command,
      args,
      env,
      cwd: this.#stage.folder,
    });
  }

  async #startOllama(port: number): Promise<Child> {
    const args = [join(ROOT, "test/faults/stand-in.ts"), String(port), this.#callsFile];
    const child = this.#stage.children.start({ name: `${this.name} Ollama`, args });
    await until(() => listens(port), "the stand-in listens");
    return child;
  }

  async #json(path: string): Promise<unknown> {
    const answer = await fetch(this.url + path);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }
}
