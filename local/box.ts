/**
 * A box on this machine: one agent process that is restarted when it dies, with a shortened log.
 */
import * as z from "zod";
import { ONE_SIGNAL_MS } from "../agent/clock/stop-signals.ts";
import { AGENT, ChildFailure, ROOT, SIMULATED_SMI } from "./edge.ts";
import { Child } from "./processes.ts";
import type { Reaper } from "./reaping.ts";

export type BoxPlan = {
  name: string;
  edgeUrl: string;
  /** Path of the Worker's own socket: the front has nothing to do for an agent. */
  edgeSocket: string | null;
  ollamaUrl: string;
  /** Folder of the agent's state: its identity and its undelivered records. */
  folder: string;
  secret: string | null;
  /** Null for a real box, which uses the nvidia-smi of this machine if there is one. */
  simulatedGpu: string | null;
};

/** Time that an agent gets to finish its open requests. */
const DRAIN_MS = 10_000;
/** Time that it then gets to end the others with an error and to deliver their records. */
const LAST_RECORDS_MS = 3_000;
const RESTART_MS = 500;
const RESTART_MS_MAX = 15_000;
/** An agent that ran for this long was healthy, so the next restart is quick again. */
const HEALTHY_MS = 30_000;
/**
 * The agent's exit code for errors that a restart cannot fix: a wrong setting, or a state folder in
 * use.
 */
const NOT_RESTARTABLE = 2;

export class LocalBox {
  readonly plan: BoxPlan;
  readonly #reaper: Reaper;
  readonly #print: (line: string) => void;
  #agent: Child;
  #startedMs = 0;
  #deaths = 0;
  #isEnding = false;
  #restart: NodeJS.Timeout | null = null;

  constructor(plan: BoxPlan, reaper: Reaper, print: (line: string) => void) {
    this.plan = plan;
    this.#reaper = reaper;
    this.#print = print;
    this.#agent = this.#start();
  }

  get agent(): Child {
    return this.#agent;
  }

  /** @throws {ChildFailure} if the agent ended for a reason that a restart would not change */
  async throwIfNotRestartable(): Promise<void> {
    if (!this.#agent.hasEnded) return;
    const { code } = await this.#agent.ended;
    if (code === NOT_RESTARTABLE)
      throw new ChildFailure(this.#agent, `the agent of ${this.plan.name} cannot run`);
  }

  /**
   * A second signal ends the requests that are still open; a kill would leave their records open.
   * @param drainMs  time that open requests get to finish
   */
  async stop(drainMs = DRAIN_MS): Promise<void> {
    this.#isEnding = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const agent = this.#agent;
    // Sooner, it would count as the first one.
    const secondMs = Math.max(drainMs, ONE_SIGNAL_MS + 100);
    const second = setTimeout(() => agent.signal("SIGTERM"), secondMs);
    await agent.stop(drainMs + LAST_RECORDS_MS);
    clearTimeout(second);
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
            NVIDIA_SMI: SIMULATED_SMI,
            SIMULATED_OLLAMA: plan.ollamaUrl,
            SIMULATED_GPU: plan.simulatedGpu,
          };
    const env = {
      ...process.env,
      EDGE_URL: plan.edgeUrl,
      EDGE_SOCKET: plan.edgeSocket ?? undefined,
      BOX_NAME: plan.name,
      BOX_SECRET: plan.secret ?? undefined,
      OLLAMA_HOST: plan.ollamaUrl,
      STATE_DIR: plan.folder,
      LOG_FORMAT: "json",
      ...simulation,
    };
    const onLine = (line: string) => {
      const shown = this.#isEnding ? null : shortened(line);
      if (shown !== null) this.#print(`agent ${plan.name}: ${shown}`);
    };
    const agent = new Child(
      {
        name: `agent of ${plan.name}`,
        args: [AGENT],
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
    void agent.stop(0); // ends processes that it left in its group
    if (code === NOT_RESTARTABLE)
      return this.#print(`agent ${this.plan.name}: cannot run and is not restarted`);
    this.#deaths = performance.now() - this.#startedMs > HEALTHY_MS ? 0 : this.#deaths + 1;
    const waitMs = Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** this.#deaths);
    this.#print(
      `agent ${this.plan.name}: ended (${signal ?? `exit code ${code}`}), restarts in ${waitMs / 1_000} s`,
    );
    this.#restart = setTimeout(() => {
      this.#agent = this.#start();
    }, waitMs);
  }
}

const LogLine = z.looseObject({ time: z.string(), level: z.string(), event: z.string() });

/**
 * Returns the text to show for a line of an agent's log, or null if the line is not worth showing.
 */
export function shortened(line: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return line; // not a log line but the output of a crash
  }
  const entry = LogLine.safeParse(parsed);
  if (!entry.success) return line;
  const { time: _time, level, event, ...fields } = entry.data;
  if (level !== "warn" && level !== "error") return null;
  const parts = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [level, event.replaceAll("_", " "), ...parts].join(" ");
}
