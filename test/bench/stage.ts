/**
 * The stage of a benchmark: the stand-in Ollama, the load client, the floor, and any number of
 * products.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import { Front } from "../../local/front.ts";
import { Boxes } from "../../protocol/api/fleet.ts";
import { CurrentStats } from "../../protocol/api/stats.ts";
import { freePort } from "../support/stack.ts";
import { type Child, Children } from "./children.ts";
import type { Duel, DuelResult, Load, LoadResult, Target } from "./load.ts";
import { bundleFloor, bundleProduct, startWorkerd } from "./workerd.ts";

const START_MS = 15_000;
/**
 * The agent sends records 50 ms after the end of a request. The cost of a load is complete by then.
 */
const SETTLE_MS = 200;
/** Longest silence of one load. */
const LOAD_MS = 90_000;

const script = (name: string): string => join(ROOT, "test/bench", name);

export class Stage implements AsyncDisposable {
  readonly children = new Children();
  readonly folder = mkdtempSync(join(tmpdir(), "edge-bench-"));
  readonly #chains: Chain[] = [];
  #bundle = "";
  #client: Child | null = null;
  upstreamPort = 0;

  /** @throws if something does not start */
  async open(): Promise<void> {
    this.#bundle = await bundleProduct(this.children, this.folder);
    this.upstreamPort = await this.startUpstream();
    this.#client = this.#startNode("load");
  }

  /**
   * Starts a stand-in Ollama. Returns its port.
   * @param failing  the part of its chats that it answers with an error
   */
  startUpstream(failing = 0): Promise<number> {
    return this.#startNode("upstream", String(failing)).request<number>(null, START_MS);
  }

  /** The file of the bundled Worker. */
  get worker(): string {
    return this.#bundle;
  }

  get direct(): Target {
    return { port: this.upstreamPort, path: "/api/chat" };
  }

  async startFloor(): Promise<Chain> {
    const port = await freePort();
    const bundle = await bundleFloor(this.folder);
    const plan = { name: "floor", script: bundle, objects: { FloorRelay: "RELAY" } };
    const workerd = await startWorkerd(this.children, this.folder, port, plan);
    const agent = this.#startNode("floor-agent", `ws://127.0.0.1:${port}`);
    await agent.request(null, START_MS);
    return new Chain(port, "/", workerd, agent);
  }

  /**
   * @param dial  returns the port that the agent connects to, given the Worker's port; the Worker's
   *   own by default
   * @param settings  settings of the agent
   */
  async startChain(
    name: string,
    dial: (port: number) => Promise<number> = async (port) => port,
    settings: Record<string, string> = {},
  ): Promise<Chain> {
    const port = await freePort();
    return this.#startProduct(name, port, null, await dial(port), { agent: settings });
  }

  /** Starts the product as it is deployed, with keys. Its callers have one that the edge made. */
  async startKeyed(name: string): Promise<Chain> {
    const port = await freePort();
    const [admin, secret] = [randomUUID(), randomUUID()];
    const settings = {
      edge: { ADMIN_KEY: admin, BOX_SECRETS: `bench=${secret}` },
      agent: { BOX_SECRET: secret },
    };
    const chain = await this.#startProduct(name, port, null, port, settings);
    const made = await fetch(`http://127.0.0.1:${port}/api/keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${admin}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "bench", scopes: ["infer", "stats"] }),
    });
    const { key } = (await made.json()) as { key?: string };
    if (key === undefined) throw new Error(`no key was made: ${made.status}`);
    chain.headers = { authorization: `Bearer ${key}` };
    return chain;
  }

  /** Starts the product as `npm start` does: callers reach workerd through the front. */
  async startFronted(name: string): Promise<Chain> {
    const front = await Front.listen(0, join(this.folder, `${name}.socket`));
    return this.#startProduct(name, await freePort(), front, null);
  }

  async #startProduct(
    name: string,
    port: number,
    front: Front | null,
    dialled: number | null,
    settings: { edge?: Record<string, string>; agent?: Record<string, string> } = {},
  ): Promise<Chain> {
    const socket = join(this.folder, `${name}.socket`);
    const workerd = await startWorkerd(this.children, this.folder, port, {
      name,
      script: this.#bundle,
      objects: { Box: "BOX", Aggregator: "AGGREGATOR", Quota: "QUOTA" },
      variables: settings.edge ?? { AUTH_MODE: "open" },
      ...(front === null ? {} : { socket }),
    });
    const agent = this.#startAgent(`${name}-agent`, dialled ?? port, {
      ...(dialled === null ? { EDGE_SOCKET: socket } : {}),
      ...settings.agent,
    });
    const chain = new Chain(front?.port ?? port, "/ollama/api/chat", workerd, agent, front);
    this.#chains.push(chain);
    await until(
      async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok,
      `${name} is ready`,
    );
    return chain;
  }

  /**
   * Starts the product with two boxes that have the same model, before a stand-in Ollama that fails this part of
   * its chats. A call that failed on one box moves to the other.
   */
  async startPair(name: string, failing: number): Promise<Chain> {
    const settings = { OLLAMA_HOST: `http://127.0.0.1:${await this.startUpstream(failing)}` };
    const chain = await this.startChain(name, undefined, settings);
    const twin = { ...settings, BOX_NAME: "twin", STATE_DIR: join(this.folder, `${name}-twin`) };
    this.#startAgent(`${name}-twin`, chain.port, twin);
    const url = `http://127.0.0.1:${chain.port}/api/boxes`;
    const boxes = async () => Boxes.parse(await (await fetch(url)).json()).boxes;
    const isUp = async () =>
      (await boxes()).filter((box) => box.state === "up" && box.models.length > 0).length === 2;
    await until(isUp, "both boxes report their models");
    return chain;
  }

  /** Runs a load to its end and waits for its last costs. @throws if any answer was wrong */
  async run(target: Target, load: Omit<Load, "to">): Promise<LoadResult> {
    if (this.#client === null) throw new Error("the stage is not open");
    const to = plainOf(target);
    const result = await this.#client.request<LoadResult>({ ...load, to }, LOAD_MS);
    for (const chain of this.#chains)
      if (chain.port === target.port) chain.calls += result.totalMs.length;
    await sleep(SETTLE_MS);
    return result;
  }

  /** Runs calls to two chains in short turns. @throws if any answer was wrong */
  async duel(chains: [Chain, Chain], duel: Omit<Duel, "sides">): Promise<DuelResult> {
    if (this.#client === null) throw new Error("the stage is not open");
    const request = { ...duel, sides: chains.map(plainOf) };
    const result = await this.#client.request<DuelResult>(request, LOAD_MS);
    for (const [index, chain] of chains.entries())
      chain.calls += result[index]?.firstMs.length ?? 0;
    await sleep(SETTLE_MS);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.children[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #startAgent(name: string, port: number, settings: Record<string, string>): Child {
    const env = {
      EDGE_URL: `http://127.0.0.1:${port}`,
      BOX_NAME: "bench",
      OLLAMA_HOST: `http://127.0.0.1:${this.upstreamPort}`,
      // The upstream serves all requests at once.
      OLLAMA_NUM_PARALLEL: "10000",
      STATE_DIR: join(this.folder, name),
      NVIDIA_SMI: "/nonexistent",
      LOG_FORMAT: "json",
      ...settings,
    };
    return this.children.start({ name, args: [join(ROOT, "agent/main.ts")], env });
  }

  #startNode(name: string, ...args: string[]): Child {
    return this.children.start({ name, args: [script(`${name}.ts`), ...args], hasIpc: true });
  }
}

/** Returns what is sent to the load client. */
const plainOf = ({ port, path, headers = {} }: Target): Target => ({ port, path, headers });

/** One Worker with its agent: the product or the floor. */
export class Chain implements Target {
  readonly port: number;
  readonly path: string;
  readonly workerd: Child;
  readonly agent: Child;
  readonly #front: Front | null;
  headers: Readonly<Record<string, string>> = {};
  /** Number of answered calls. */
  calls = 0;

  constructor(
    port: number,
    path: string,
    workerd: Child,
    agent: Child,
    front: Front | null = null,
  ) {
    this.port = port;
    this.path = path;
    this.workerd = workerd;
    this.agent = agent;
    this.#front = front;
  }

  /** CPU time of the front, which runs in this process; 0 without one. */
  frontCpuMs(): number {
    const { user, system } = process.cpuUsage();
    return this.#front === null ? 0 : (user + system) / 1_000;
  }

  cpuMs(): { workerd: number; agent: number } {
    return { workerd: this.workerd.cpuMs(), agent: this.agent.cpuMs() };
  }

  /**
   * For the product only. @throws unless the Worker counted each call once and the agent logged no
   * error
   */
  async check(): Promise<void> {
    let counted = -1;
    const isCounted = async () => {
      const answer = await fetch(`http://127.0.0.1:${this.port}/api/stats/current`, {
        headers: this.headers,
      });
      counted = CurrentStats.parse(await answer.json()).total_requests;
      return counted >= this.calls;
    };
    await until(isCounted, `${this.calls} calls are counted`);
    if (counted !== this.calls)
      throw new Error(`${this.calls} calls were made, but ${counted} were counted`);
    const complaint = this.agent.tail.find((line) => line.includes('"level":"error"'));
    if (complaint !== undefined) throw new Error(`the agent logged an error: ${complaint}`);
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await Promise.all([this.agent.kill(), this.workerd.kill(), this.#front?.close()]);
  }
}

async function until(isTrue: () => Promise<boolean>, condition: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`Gave up waiting: ${condition}`);
    await sleep(50);
  }
}
