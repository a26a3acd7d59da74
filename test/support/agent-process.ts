/** A real agent in a process of its own, beside an edge that says what a test tells it and an Ollama that remembers what it was asked. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { startReaper } from "../../local/reaping.ts";
import { FrameType, NO_PAYLOAD } from "../../protocol/frames.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { FakeEdge } from "./fake-edge.ts";
import { eventually } from "./stack.ts";

const STOP_MS = 2_000;

export class AgentProcess implements AsyncDisposable {
  readonly edge: FakeEdge;
  readonly ollama: SimulatedOllama;
  readonly lines: string[] = [];
  readonly #reaper = startReaper();
  readonly #folder = mkdtempSync(join(tmpdir(), "agent-process-"));
  #child: Child | null = null;

  private constructor(edge: FakeEdge, ollama: SimulatedOllama) {
    this.edge = edge;
    this.ollama = ollama;
  }

  /** Resolves when the agent has taken the welcome. */
  static async start(): Promise<AgentProcess> {
    const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 5 });
    const agent = new AgentProcess(await FakeEdge.listen(), ollama);
    await agent.restart();
    return agent;
  }

  get isAlive(): boolean {
    return this.#child?.hasEnded === false;
  }

  /** Kills the process, if there is one, and starts it on the same state folder. */
  async restart(): Promise<void> {
    this.#child?.signal("SIGKILL");
    await this.#child?.ended;
    const heard = this.edge.readings.length;
    const env = {
      ...process.env,
      EDGE_URL: this.edge.url,
      BOX_NAME: "b",
      OLLAMA_HOST: this.ollama.url,
      STATE_DIR: this.#folder,
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
    };
    const onLine = (line: string) => void this.lines.push(line);
    this.#child = new Child(
      { name: "agent", args: [join(ROOT, "agent/main.ts")], env, cwd: ROOT, onLine },
      this.#reaper,
    );
    await eventually(
      async () => this.edge.readings.length > heard,
      () => this.lines.join("\n"),
    );
  }

  /** Does nothing for so long: its clock goes on, and what arrives waits. */
  async standStill(ms: number): Promise<void> {
    this.#child?.signal("SIGSTOP");
    await sleep(ms);
    this.#child?.signal("SIGCONT");
  }

  /** How often Ollama was asked for a request whose words are its id. */
  asked(id: string): number {
    return this.ollama.requests().filter(({ body }) => body.includes(id)).length;
  }

  /** Asks for a chat, without waiting. */
  begin(id: string, tokens: number): void {
    this.edge.open(id, {}, chatOf(id, tokens));
  }

  /** A whole chat: answered, acknowledged, recorded. */
  async complete(id: string): Promise<RequestRecord> {
    this.begin(id, 3);
    const end = await this.edge.heard(FrameType.end, id);
    this.edge.say({ type: FrameType.ack, stream: id, seq: end.seq + 1, payload: NO_PAYLOAD });
    return this.edge.recorded(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop(STOP_MS);
    await this.edge[Symbol.asyncDispose]();
    await this.ollama.close();
    this.#reaper.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A chat that Ollama answers with so many tokens; its words are the id. */
const chatOf = (id: string, tokens: number): string =>
  JSON.stringify({
    model: "m",
    messages: [{ role: "user", content: id }],
    options: { num_predict: tokens },
  });
