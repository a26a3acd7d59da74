/** The Worker and its boxes on one machine, started in order and stopped in reverse order. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalBox } from "./box.ts";
import { seedHistory, seedTariff } from "./demo-seeding.ts";
import { ChildFailure, Edge, waitFor } from "./edge.ts";
import type { Child } from "./processes.ts";
import type { Reaper } from "./reaping.ts";
import { boxSecretOf, foldersOf, type LocalSettings } from "./settings.ts";
import { type SimulatedBox, startSimulated } from "./simulation.ts";

/** Enough for a first start on a slow machine. */
const EDGE_MS = 60_000;
const READY_MS = 60_000;
const SIMULATED_END_MS = 2_000;

export type StackPlan =
  | { kind: "real" }
  | { kind: "simulated" | "demo"; boxes: readonly SimulatedBox[] };

export class Stack {
  readonly boxes: LocalBox[] = [];
  /** Addresses of the simulated Ollamas, by box. */
  readonly simulated = new Map<string, string>();
  readonly #settings: LocalSettings;
  readonly #reaper: Reaper;
  readonly #print: (line: string) => void;
  readonly #ollamas: Child[] = [];
  #edge: Edge | null = null;
  #isEnding = false;

  constructor(settings: LocalSettings, reaper: Reaper, print: (line: string) => void) {
    this.#settings = settings;
    this.#reaper = reaper;
    this.#print = print;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#settings.port}`;
  }

  /**
   * Starts everything and resolves when a call can be served.
   * @param onDeath  called when the Worker or a simulated Ollama dies, without which nothing works
   * @throws {ChildFailure}
   */
  async start(plan: StackPlan, onDeath: (child: Child) => void): Promise<void> {
    const { worker, box, stateDir, ollamaUrl } = this.#settings;
    const names = plan.kind === "real" ? [box] : plan.boxes.map(({ name }) => name);
    const secrets = new Map(
      names.map((name) => [
        name,
        boxSecretOf(worker.BOX_SECRETS, name) ?? newSecret(worker.AUTH_MODE),
      ]),
    );
    const folders = foldersOf(stateDir, plan.kind);
    const edge = await Edge.start(
      { port: this.#settings.port, folder: folders.edge, settings: withSecrets(worker, secrets) },
      this.#reaper,
    );
    this.#edge = edge;
    const simulated =
      plan.kind === "real"
        ? []
        : await Promise.all(plan.boxes.map((one) => this.#startSimulated(one, onDeath)));
    await waitFor(`${this.url}/healthz`, edge.worker, EDGE_MS);
    void edge.worker.ended.then(() => !this.#isEnding && onDeath(edge.worker));
    if (plan.kind === "demo") await seedTariff(this.url, worker.ADMIN_KEY ?? null);
    for (const name of names) {
      if (this.#isEnding) return;
      const simulatedBox = simulated.find((one) => one.box.name === name);
      const boxPlan = {
        name,
        edgeUrl: this.url,
        edgeSocket: edge.socket,
        ollamaUrl: simulatedBox?.url ?? ollamaUrl.href,
        folder: folders.agent(name),
        secret: secrets.get(name) ?? null,
        simulatedGpu: simulatedBox?.box.gpu ?? null,
      };
      if (plan.kind === "demo" && simulatedBox !== undefined)
        seedHistory(simulatedBox.box, boxPlan.folder, Date.now());
      this.boxes.push(new LocalBox(boxPlan, this.#reaper, this.#print));
    }
    await this.#untilReady(edge.worker);
  }

  /**
   * Stops the agents first, while the Worker can still take their last records.
   * @param drainMs  time that open requests get to finish
   */
  async stop(drainMs?: number): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.boxes.map((box) => box.stop(drainMs)));
    await Promise.all([
      ...this.#ollamas.map((child) => child.stop(SIMULATED_END_MS)),
      this.#edge?.stop(),
    ]);
  }

  /** Kills everything without waiting. */
  kill(): void {
    this.#isEnding = true;
    for (const box of this.boxes) box.kill();
    for (const child of this.#ollamas) child.kill();
    this.#edge?.kill();
  }

  async #startSimulated(
    box: SimulatedBox,
    onDeath: (child: Child) => void,
  ): Promise<{ box: SimulatedBox; url: string }> {
    const { url, child } = await startSimulated(box, this.#reaper);
    this.#ollamas.push(child);
    this.simulated.set(box.name, url);
    void child.ended.then(() => !this.#isEnding && onDeath(child));
    return { box, url };
  }

  async #untilReady(worker: Child): Promise<void> {
    const { ADMIN_KEY: key } = this.#settings.worker;
    // Without a key, /readyz repeats its last answer for ten seconds.
    const headers = key === undefined ? {} : { "x-api-key": key };
    const ready = waitFor(`${this.url}/readyz`, worker, READY_MS, headers);
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    ready.then(over, over);
    while (!isOver && !this.#isEnding) {
      await Promise.race([ready, sleep(200, undefined, { ref: false })]);
      for (const box of this.boxes) await box.throwIfNotRestartable();
    }
    // The agents' logs explain why no call can be served; the Worker's do not.
    await ready.catch((error: unknown) => {
      const [box] = this.boxes;
      throw error instanceof ChildFailure && box !== undefined && !worker.hasEnded
        ? new ChildFailure(box.agent, error.message)
        : error;
    });
  }
}

/** With keys, an agent needs a secret too. On one machine it is generated. */
const newSecret = (authMode: string | undefined): string | null =>
  authMode === "open" ? null : randomBytes(24).toString("hex");

function withSecrets(
  worker: Record<string, string>,
  secrets: ReadonlyMap<string, string | null>,
): Record<string, string> {
  const missing = [...secrets].filter(
    ([name, secret]) => secret !== null && boxSecretOf(worker.BOX_SECRETS, name) === null,
  );
  const entries = [
    worker.BOX_SECRETS,
    ...missing.map(([name, secret]) => `${name}=${secret}`),
  ].filter((entry) => entry);
  return entries.length === 0 ? worker : { ...worker, BOX_SECRETS: entries.join(",") };
}
