/**
 * What a suite of faults needs on stage: the Worker in workerd, agents, the stand-in Ollama and a proxy
 * that cuts, each a process (but the proxy) that can be killed and started again.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { QUIET, ROOT } from "../../local/edge.ts";
import { Boxes } from "../../protocol/api/fleet.ts";
import { LogEntry } from "../../protocol/api/logs.ts";
import { CurrentStats } from "../../protocol/api/stats.ts";
import { type Child, Children } from "../bench/children.ts";
import { bundleProduct, startWorkerd } from "../bench/workerd.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { freePort } from "../support/stack.ts";
import { type Accounts, compare } from "./accounts.ts";
import { Callers } from "./callers.ts";

const START_MS = 30_000;

/** Longest wait for the last record: a stream whose Worker died is given up after the grace period of 30 s. */
const SETTLE_MS = 45_000;

export type ChainPlan = {
  /** What the agent is started with: a command and its arguments, before Node and the agent's. */
  agentCommand?: readonly string[];
  agentEnv?: Record<string, string>;
  /** Of workerd. */
  inspectorPort?: number;
  /** Arguments of the agent. */
  agentArgs?: string[];
  /** Where the agent keeps its state; a folder of the chain if not said. */
  stateDir?: string;
  /** With a wrangler.toml: the Worker runs in `wrangler dev` there, instead of in workerd. */
  wranglerFolder?: string;
};

export class Stage implements AsyncDisposable {
  readonly children = new Children();
  readonly folder = mkdtempSync(join(tmpdir(), "edge-faults-"));
  /** The Worker's bundle. */
  script = "";
  /** The agent as it is installed: one file. */
  agentFile = join(this.folder, "agent.mjs");
  readonly #chains: Chain[] = [];
  #count = 0;

  static async open(): Promise<Stage> {
    const stage = new Stage();
    stage.script = await bundleProduct(stage.children, stage.folder);
    copyFileSync(join(ROOT, "dist/assets/agent/agent.mjs"), stage.agentFile);
    return stage;
  }

  /** A Worker with nothing in its ledger, an agent and an Ollama, all up. */
  async chain(plan: ChainPlan = {}): Promise<Chain> {
    const chain = await Chain.start(this, `chain-${this.#count++}`, plan);
    this.#chains.push(chain);
    return chain;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const chain of this.#chains) await chain[Symbol.asyncDispose]();
    await this.children[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export type Part = "workerd" | "agent" | "ollama";

export class Chain implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Between agent and Worker. */
  readonly proxy: CuttingProxy;
  readonly callers: Callers;
  readonly #stage: Stage;
  readonly #plan: ChainPlan;
  readonly #ollamaPort: number;
  readonly #parts = new Map<Part, Child>();
  /** What workerd runs after its next start. */
  script: string;

  private constructor(
    stage: Stage,
    name: string,
    plan: ChainPlan,
    port: number,
    ollamaPort: number,
    proxy: CuttingProxy,
  ) {
    this.#stage = stage;
    this.name = name;
    this.#plan = plan;
    this.port = port;
    this.#ollamaPort = ollamaPort;
    this.proxy = proxy;
    this.callers = new Callers(name, port, plan.wranglerFolder !== undefined);
    this.script = stage.script;
  }

  static async start(stage: Stage, name: string, plan: ChainPlan): Promise<Chain> {
    const [port, ollamaPort] = [await freePort(), await freePort()];
    const chain = new Chain(stage, name, plan, port, ollamaPort, await CuttingProxy.start(port));
    await Promise.all([chain.start("workerd"), chain.start("ollama")]);
    await chain.start("agent");
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

  /** Starts a part. Workerd and Ollama listen when this resolves; the agent only runs. */
  async start(part: Part): Promise<void> {
    this.#parts.set(part, await this.#starters[part]());
  }

  /** SIGKILL. */
  async kill(part: Part): Promise<void> {
    await this.part(part).kill();
  }

  async restart(part: Part): Promise<void> {
    await this.kill(part);
    await this.start(part);
  }

  /**
   * Ends the streams that the agent still has, so that nobody needs to wait for their grace periods: those of
   * Workers that died, and those whose last acknowledgement was lost. An agent that is told to stop, and told
   * again, ends them at once.
   */
  async endWaiting(): Promise<void> {
    await this.untilServing();
    const agent = this.part("agent");
    agent.signal("SIGTERM");
    await sleep(100); // two signals at once may arrive as one
    agent.signal("SIGTERM");
    await agent.ended();
    await this.start("agent");
    await this.untilServing();
  }

  /** Until a call would be served. */
  async untilServing(): Promise<void> {
    await until(
      async () =>
        (await this.boxes()).some(
          ({ state, ollama_reachable }) => state === "up" && ollama_reachable === true,
        ),
      `${this.name} serves`,
    );
  }

  async boxes(): Promise<Boxes["boxes"]> {
    return Boxes.parse(await this.#json("/api/boxes")).boxes;
  }

  async stats(): Promise<CurrentStats> {
    return CurrentStats.parse(await this.#json("/api/stats/current"));
  }

  /** The whole ledger, newest first. */
  async rows(): Promise<LogEntry[]> {
    const text = await (await fetch(`${this.url}/api/stats/logs?format=ndjson`)).text();
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => LogEntry.parse(JSON.parse(line)));
  }

  /** What `/api/metrics` says of one series, written as there. */
  async metric(series: string): Promise<number> {
    const lines = (await (await fetch(`${this.url}/api/metrics`)).text()).split("\n");
    return Number(
      lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1) ?? Number.NaN,
    );
  }

  /** Keys of the calls that Ollama took. */
  asked(): Set<string> {
    const file = this.#askedFile;
    return new Set(
      existsSync(file)
        ? readFileSync(file, "utf8")
            .split("\n")
            .filter((key) => key !== "")
        : [],
    );
  }

  /**
   * The callers' ledger against ours, once nothing is missing, or nothing more can come. All parts must be up.
   * @param settleMs  how long rows may still come
   */
  async accounts(settleMs = SETTLE_MS): Promise<Accounts> {
    const deadline = performance.now() + settleMs;
    for (;;) {
      const rows = await this.rows();
      const counted = (await this.stats()).total_requests;
      const accounts = compare(this.callers.entries, this.asked(), {
        rows,
        counted,
        exported: await this.metric("ollama_requests_total"),
      });
      if (accounts.problems.length === 0 || performance.now() > deadline) return accounts;
      await sleep(500);
    }
  }

  /** Bytes of an answer that have left Ollama. */
  async written(key: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.#ollamaPort}/written/${key}`);
    return ((await answer.json()) as { bytes: number }).bytes;
  }

  /** Ends everything of this chain. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const call of this.callers.open) call.leave();
    await Promise.all([...this.#parts.values()].map((child) => child.kill()));
    await this.proxy[Symbol.asyncDispose]();
  }

  get stateDir(): string {
    return this.#plan.stateDir ?? join(this.#stage.folder, `${this.name}-agent`);
  }

  get #askedFile(): string {
    return join(this.#stage.folder, `${this.name}.asked`);
  }

  readonly #starters: Record<Part, () => Promise<Child>> = {
    workerd: () =>
      this.#plan.wranglerFolder !== undefined
        ? this.#startWrangler(this.#plan.wranglerFolder)
        : startWorkerd(this.#stage.children, this.#stage.folder, this.port, {
            name: this.name,
            script: this.script,
            objects: { Box: "BOX", Aggregator: "AGGREGATOR" },
            variables: { AUTH_MODE: "open" },
            ...(this.#plan.inspectorPort === undefined
              ? {}
              : { inspectorPort: this.#plan.inspectorPort }),
          }),
    agent: async () => {
      const env = {
        EDGE_URL: this.proxy.url,
        BOX_NAME: "box",
        OLLAMA_HOST: `http://127.0.0.1:${this.#ollamaPort}`,
        STATE_DIR: this.stateDir,
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
        name: `${this.name} agent`,
        command,
        args,
        env,
        cwd: this.#stage.folder,
      });
    },
    ollama: async () => {
      const args = [
        join(ROOT, "test/faults/stand-in.ts"),
        String(this.#ollamaPort),
        this.#askedFile,
      ];
      const child = this.#stage.children.start({ name: `${this.name} Ollama`, args });
      await until(() => listens(this.#ollamaPort), "the stand-in listens");
      return child;
    },
  };

  /** Only code may be in the folder: wrangler reloads when anything in it changes. */
  async #startWrangler(folder: string): Promise<Child> {
    const args = [
      join(ROOT, "node_modules/wrangler/bin/wrangler.js"),
      "dev",
      "--config",
      join(folder, "wrangler.toml"),
    ];
    args.push(
      "--port",
      String(this.port),
      "--ip",
      "127.0.0.1",
      "--inspector-port",
      "0",
      "--persist-to",
      join(this.#stage.folder, `${this.name}-state`),
    );
    args.push("--show-interactive-dev-session", "false", "--log-level", "warn");
    const env = {
      ...QUIET,
      WRANGLER_LOG_PATH: join(this.#stage.folder, "wrangler-logs"),
      WRANGLER_REGISTRY_PATH: join(this.#stage.folder, "registry"),
    };
    const child = this.#stage.children.start({
      name: `${this.name} wrangler`,
      args,
      env,
      cwd: folder,
    });
    await until(async () => (await fetch(`${this.url}/healthz`)).ok, "wrangler serves", 60_000);
    return child;
  }

  async #json(path: string): Promise<unknown> {
    const answer = await fetch(this.url + path);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }
}

/** Asks again until it is true. An error counts as not yet. @throws when it does not come true */
export async function until(
  isTrue: () => Promise<boolean> | boolean,
  what: string,
  limitMs = START_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  let last = "";
  for (;;) {
    try {
      if (await isTrue()) return;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline)
      throw new Error(`it did not come true within ${limitMs / 1_000} s: ${what}. ${last}`);
    await sleep(20);
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () =>
      resolve(false),
    );
    socket.once("connect", () => socket.destroy());
  });

/** The load of the machine, to be told beside every time that was measured. */
export const loadNow = (): string => `load ${(loadavg()[0] ?? 0).toFixed(1)}`;
