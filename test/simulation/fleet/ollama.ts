/**
 * A simulated Ollama with models: it loads, evicts and serves them in slots, in order of arrival, and
 * answers as `/api/chat` does. It can be down, hang, fail, or lack a model that it had.
 */
import type { After } from "../../../agent/clock/timers.ts";
import type { LocalExchange, LocalRequest } from "../../../agent/request/ollama.ts";
import { OllamaPatience } from "../../../agent/request/patience.ts";
import { type Inventory, withTag } from "../../../protocol/inventory.ts";
import type { Headers } from "../../../protocol/messages.ts";
import type { Schedule } from "../schedule.ts";
import { answerTextOf, type ChatExchange, lastLine, tokenLine } from "./chat.ts";
import { type HeldModel, ModelsInMemory } from "./memory.ts";
import { type BoxPlan, type FleetCallPlan, type ModelPlan, PREFILL_MS } from "./plan.ts";

export type OllamaWorld = {
  schedule: Schedule;
  /** Returns the call of a request by its header. */
  callOf(id: string): FleetCallPlan;
  onExchange(exchange: ChatExchange): void;
  nextNumber(): number;
};

export class ModelOllama {
  readonly onDisk: Map<string, ModelPlan>;
  /** Names of the models that were not on disk at some time. */
  readonly lost = new Set<string>();
  /** The number of the next requests that are answered with a failure. */
  failing = 0;
  isDown = false;
  readonly #plan: BoxPlan;
  readonly #world: OllamaWorld;
  readonly #memory: ModelsInMemory;
  readonly #open = new Set<ChatExchange>();
  #isHung = false;
  #frozen: (() => void)[] = [];
  #life = 0;
  /** The patience of the agent that is running. */
  #patience = new OllamaPatience();

  constructor(plan: BoxPlan, world: OllamaWorld) {
    this.#plan = plan;
    this.#world = world;
    this.onDisk = new Map(plan.models.map((model) => [model.name, model]));
    this.#memory = new ModelsInMemory(plan, {
      nowMs: () => world.schedule.nowMs,
      after: (ms, run) => this.#after(ms, run),
      onSlot: (exchange, held) => this.#begin(exchange, held),
    });
  }

  get isHung(): boolean {
    return this.#isHung;
  }

  /** True if it answers as it should. */
  get isWell(): boolean {
    return !this.isDown && !this.#isHung && this.failing === 0;
  }

  get openExchanges(): number {
    return this.#open.size;
  }

  isReady(model: string): boolean {
    return this.#memory.isReady(withTag(model));
  }

  /** Returns the models on disk and in memory; null if nobody answers. */
  inventory(): Pick<Inventory, "models" | "loaded"> | null {
    if (this.isDown || this.#isHung) return null;
    const unknown = {
      digest: null,
      family: null,
      parameter_size: null,
      quantization: null,
      modified_at: null,
    };
    const loaded = this.#memory.ready.filter((name) => this.onDisk.has(name));
    return {
      models: [...this.onDisk.keys()].map((name) => ({ name, size_bytes: 1e9, ...unknown })),
      loaded: loaded.map((name) => ({
        name,
        size_bytes: 1e9,
        size_vram_bytes: 1e9,
        context_length: 4_096,
        expires_at: null,
      })),
    };
  }

  /** The process dies: connections close, and the memory is empty when it is back. */
  die(): void {
    this.#life++;
    this.isDown = true;
    this.#isHung = false;
    this.#frozen = [];
    this.#memory.clear();
    for (const exchange of [...this.#open]) this.#fail(exchange);
  }

  back(): void {
    this.isDown = false;
  }

  /** Accepts requests, and does nothing for them. */
  hang(): void {
    this.#isHung = true;
  }

  resume(): void {
    this.#isHung = false;
    for (const run of this.#frozen.splice(0)) run();
  }

  /** Closes all connections: the agent was killed. */
  dropAll(): void {
    for (const exchange of [...this.#open]) this.#over(exchange);
    this.#memory.proceed();
  }

  /** The agent has got an answer to a poll. */
  polled(): void {
    this.#patience.answered();
  }

  /** Returns the client of an agent that starts. @param after  timers of its process */
  client(after: After): { send(local: LocalRequest): LocalExchange } {
    const patience = new OllamaPatience();
    this.#patience = patience;
    return {
      send: (local) => {
        let exchange: ChatExchange | null = null;
        let isAborted = false;
        const attempt = () => {
          if (isAborted) return;
          if (!this.isDown) {
            exchange = this.#receive(local, () => patience.answered());
            return;
          }
          const { nowMs } = this.#world.schedule;
          const waitMs = patience.refused(nowMs, local.isPatient ?? true);
          if (waitMs !== null) after(waitMs, attempt);
          else local.onError(new Error("connect ECONNREFUSED"), false);
        };
        after(1, attempt);
        return {
          write: () => true,
          onDrain: (resume) => void after(0, resume),
          end: () => {},
          pause: () => {},
          resume: () => {},
          abort: () => {
            isAborted = true;
            if (exchange !== null) this.#over(exchange);
            this.#memory.proceed();
          },
        };
      },
    };
  }

  /** Runs later, unless the process has died; after a hang, once that is over. */
  #after(ms: number, run: () => void): void {
    const life = this.#life;
    this.#world.schedule.after(ms, () => {
      if (life !== this.#life) return;
      if (this.#isHung) this.#frozen.push(run);
      else run();
    });
  }

  #receive(local: LocalRequest, onHead: () => void): ChatExchange {
    const id = local.headers.find(([name]) => name === "x-sim")?.[1] ?? "";
    const { schedule, callOf, nextNumber, onExchange } = this.#world;
    const exchange: ChatExchange = {
      number: nextNumber(),
      call: callOf(id),
      box: this.#plan.name,
      local: {
        ...local,
        onHead: (status, headers) => {
          onHead();
          exchange.hasHead = true;
          local.onHead(status, headers);
        },
      },
      arrivedMs: schedule.nowMs,
      begunMs: null,
      hasHead: false,
      isCompleted: false,
      isOpen: true,
      overMs: null,
      isCutOff: false,
    };
    this.#open.add(exchange);
    onExchange(exchange);
    this.#after(1, () => this.#admit(exchange));
    return exchange;
  }

  #admit(exchange: ChatExchange): void {
    if (!exchange.isOpen) return;
    const name = withTag(exchange.call.model);
    const plan = this.onDisk.get(name);
    if (this.failing > 0) {
      this.failing--;
      return this.#answer(exchange, 500, JSON.stringify({ error: "llama runner has terminated" }));
    }
    if (plan === undefined)
      return this.#answer(exchange, 404, JSON.stringify({ error: `model '${name}' not found` }));
    this.#memory.add(exchange, plan);
  }

  #begin(exchange: ChatExchange, held: HeldModel): void {
    const { schedule } = this.#world;
    const { number, call } = exchange;
    const loadMs = Math.max(0, held.readyMs - exchange.arrivedMs);
    const prefillMs = PREFILL_MS / this.#plan.speed;
    const tokenMs = held.plan.tokenMs / this.#plan.speed;
    exchange.begunMs = schedule.nowMs;
    const token = (n: number) => {
      if (!exchange.isOpen) return;
      const { local } = exchange;
      if (call.isStreamed && n === 0) local.onHead(200, typed("application/x-ndjson"));
      if (n < call.tokens) {
        if (call.isStreamed) local.onData(Buffer.from(`${tokenLine(exchange, n)}\n`));
        return this.#after(tokenMs, () => token(n + 1));
      }
      exchange.isCompleted = true;
      const totalMs = schedule.nowMs - exchange.arrivedMs;
      const times = { totalMs, loadMs, prefillMs, decodeMs: tokenMs * call.tokens };
      if (call.isStreamed) {
        local.onData(Buffer.from(`${lastLine(exchange, "", times)}\n`));
        this.#over(exchange);
        local.onEnd();
      } else
        this.#answer(exchange, 200, lastLine(exchange, answerTextOf(number, call.tokens), times));
      this.#memory.proceed();
    };
    this.#after(prefillMs, () => token(0));
  }

  /** Answers in one piece. */
  #answer(exchange: ChatExchange, status: number, body: string): void {
    this.#over(exchange);
    const { local } = exchange;
    const length: [string, string] = ["content-length", String(Buffer.byteLength(body))];
    local.onHead(status, [...typed("application/json"), length]);
    local.onData(Buffer.from(body));
    local.onEnd();
  }

  #fail(exchange: ChatExchange): void {
    this.#over(exchange);
    exchange.local.onError(new Error("socket hang up"), exchange.hasHead);
  }

  #over(exchange: ChatExchange): void {
    if (!exchange.isOpen) return;
    exchange.isOpen = false;
    exchange.overMs = this.#world.schedule.nowMs;
    this.#open.delete(exchange);
    this.#memory.over(exchange);
  }
}

const typed = (type: string): Headers => [["content-type", type]];
