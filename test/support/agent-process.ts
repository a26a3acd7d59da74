/**
 * A real agent in its own process, between a fake edge that a test controls and a simulated Ollama
 * that remembers its requests.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AGENT, ROOT } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { FrameType, NO_PAYLOAD } from "../../protocol/frames.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { buildOnce } from "./built.ts";
import { FakeEdge } from "./fake-edge.ts";
import { sharedReaper } from "./shared-reaper.ts";
import { eventually } from "./stack.ts";

const STOP_MS = 2_000;

export class AgentProcess implements AsyncDisposable {
  readonly edge: FakeEdge;
  readonly ollama: SimulatedOllama;
  readonly lines: string[] = [];
  readonly #reaper = sharedReaper();
  readonly #folder = mkdtempSync(join(tmpdir(), "agent-process-"));
  #child: Child | null = null;

  private constructor(edge: FakeEdge, ollama: SimulatedOllama) {
    this.edge = edge;
    this.ollama = ollama;
  }

  /** Resolves when the agent is connected and has sent its first readings. */
  static async start(): Promise<AgentProcess> {
    buildOnce();
    const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 5 });
    const agent = new AgentProcess(await FakeEdge.listen(), ollama);
    await agent.restart();
    return agent;
  }

  get isAlive(): boolean {
    return this.#child?.hasEnded === false;
  }

  /** Kills the process, if one is running, and starts a new one on the same state folder. */
  async restart(): Promise<void> {
    this.#child?.signal("SIGKILL");
    await this.#child?.ended;
    const readingsBefore = this.edge.readings.length;
    const env = {
      ...process.env,
      EDGE_URL: this.edge.url,
      BOX_NAME: "b",
      OLLAMA_HOST: this.ollama.url,
      STATE_DIR: this.#folder,
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
    };
    const onLine = (line: string) => void this.lines.push(line);
    this.#child = new Child({ name: "agent", args: [AGENT], env, cwd: ROOT, onLine }, this.#reaper);
    await eventually(
      async () => this.edge.readings.length > readingsBefore,
      () => this.lines.join("\n"),
    );
  }

  /** Suspends the process. Its clock keeps running, and incoming data waits. */
  async standStill(ms: number): Promise<void> {
    this.#child?.signal("SIGSTOP");
    await sleep(ms);
    this.#child?.signal("SIGCONT");
  }

  /** Returns how often Ollama received the request whose prompt is this id. */
  requestsOf(id: string): number {
    return this.ollama.requests().filter(({ body }) => body.includes(id)).length;
  }

  /** Starts a chat without waiting for its answer. */
  begin(id: string, tokens: number): void {
    this.edge.open(id, {}, chatOf(id, tokens));
  }

  /** Runs a whole chat: answered, acknowledged and recorded. */
  async complete(id: string): Promise<RequestRecord> {
    this.begin(id, 3);
    const end = await this.edge.received(FrameType.end, id);
    this.edge.send({ type: FrameType.ack, stream: id, seq: end.seq + 1, payload: NO_PAYLOAD });
    return this.edge.recorded(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop(STOP_MS);
    await this.edge[Symbol.asyncDispose]();
    await this.ollama.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Returns a chat request whose prompt is the id and whose answer has this many tokens. */
const chatOf = (id: string, tokens: number): string =>
  JSON.stringify({
    model: "m",
    messages: [{ role: "user", content: id }],
    options: { num_predict: tokens },
  });
