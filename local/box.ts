/** A box on this machine: one agent process, started again when it dies, its log shown short. */
import { join } from "node:path";
import { z } from "zod";
import { ChildFailure, ROOT } from "./edge.ts";
import { Child } from "./processes.ts";
import type { Reaper } from "./reaping.ts";

export type BoxPlan = {
  name: string;
  edgeUrl: string;
  ollamaUrl: string;
  /** The agent's state: the records it has not delivered, and who it is. */
  folder: string;
  secret: string | null;
  /** Null: a real box, with the nvidia-smi of this machine if it has one. */
  simulatedGpu: string | null;
};

/** What an agent gets to finish its open requests. */
const DRAIN_MS = 10_000;
const RESTART_MS = 500;
const RESTART_MS_MAX = 15_000;
/** An agent that ran this long was well: its next death is a new story. */
const PROVEN_MS = 30_000;
/** The agent's exit code for "it makes no sense to try": a wrong setting, a state folder in use. */
const HOPELESS = 2;

export class LocalBox {
  readonly plan: BoxPlan;
  readonly #reaper: Reaper;
  readonly #say: (line: string) => void;
  #agent: Child;
  #startedMs = 0;
  #deaths = 0;
  #isEnding = false;
  #restart: NodeJS.Timeout | null = null;

  constructor(plan: BoxPlan, reaper: Reaper, say: (line: string) => void) {
    this.plan = plan;
    this.#reaper = reaper;
    this.#say = say;
    this.#agent = this.#start();
  }

  get agent(): Child {
    return this.#agent;
  }

  /** @throws {ChildFailure} when the agent has ended for a reason that a new try would not change. */
  async checkHopeless(): Promise<void> {
    if (!this.#agent.hasEnded) return;
    const { code } = await this.#agent.ended;
    if (code === HOPELESS)
      throw new ChildFailure(this.#agent, `the agent of ${this.plan.name} cannot run`);
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    await this.#agent.stop(DRAIN_MS);
  }

  kill(): void {
    this.#isEnding = true;
    this.#agent.kill();
  }

  #start(): Child {
    const { plan } = this;
    this.#startedMs = performance.now();
    const simulation =
      plan.simulatedGpu === null
        ? {}
        : {
            SIMULATED: "1",
            NVIDIA_SMI: join(ROOT, "simulated/nvidia-smi.ts"),
            SIMULATED_OLLAMA: plan.ollamaUrl,
            SIMULATED_GPU: plan.simulatedGpu,
          };
    const env = {
      ...process.env,
      EDGE_URL: plan.edgeUrl,
      BOX_NAME: plan.name,
      BOX_SECRET: plan.secret ?? undefined,
      OLLAMA_HOST: plan.ollamaUrl,
      STATE_DIR: plan.folder,
      LOG_FORMAT: "json",
      ...simulation,
    };
    const onLine = (line: string) => {
      const shown = this.#isEnding ? null : shortened(line);
      if (shown !== null) this.#say(`agent ${plan.name}: ${shown}`);
    };
    const agent = new Child(
      {
        name: `agent of ${plan.name}`,
        args: [join(ROOT, "agent/main.ts")],
        env,
        cwd: ROOT,
        onLine,
      },
      this.#reaper,
    );
    void agent.ended.then(({ code, signal }) => this.#died(agent, code, signal));
    return agent;
  }

  #died(agent: Child, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#isEnding || agent !== this.#agent) return;
    void agent.stop(0); // what it may have left behind
    if (code === HOPELESS)
      return this.#say(`agent ${this.plan.name}: cannot run, and is not started again`);
    this.#deaths = performance.now() - this.#startedMs > PROVEN_MS ? 0 : this.#deaths + 1;
    const waitMs = Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** this.#deaths);
    this.#say(
      `agent ${this.plan.name}: ended (${signal ?? `exit code ${code}`}), starts again in ${waitMs / 1_000} s`,
    );
    this.#restart = setTimeout(() => {
      this.#agent = this.#start();
    }, waitMs);
  }
}

const LogLine = z.looseObject({ time: z.string(), level: z.string(), event: z.string() });

/** What a line of an agent's log says to somebody who watches; null when it says nothing that matters. */
export function shortened(line: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return line; // not the log: a crash
  }
  const entry = LogLine.safeParse(parsed);
  if (!entry.success) return line;
  const { time: _time, level, event, ...fields } = entry.data;
  if (level !== "warn" && level !== "error") return null;
  const words = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [level, event.replaceAll("_", " "), ...words].join(" ");
}
