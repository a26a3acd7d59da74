/**
 * The memory of a simulated Ollama: models are loaded one at a time, leave when others need their room, and
 * serve their requests in slots, in order of arrival.
 */
import type { ChatExchange } from "./chat.ts";
import type { BoxPlan, ModelPlan } from "./plan.ts";

/** A model in memory, or on its way there. */
export type HeldModel = {
  plan: ModelPlan;
  state: "absent" | "loading" | "ready";
  active: Set<ChatExchange>;
  waiting: ChatExchange[];
  usedMs: number;
  readyMs: number;
  /** It makes room once its requests have ended. */
  isLeaving: boolean;
};

export type MemoryWorld = {
  nowMs(): number;
  /** Runs later, as the process of Ollama does. */
  after(ms: number, run: () => void): void;
  /** A request has got a slot. */
  onSlot(exchange: ChatExchange, held: HeldModel): void;
};

export class ModelsInMemory {
  readonly #plan: BoxPlan;
  readonly #world: MemoryWorld;
  readonly #held = new Map<string, HeldModel>();

  constructor(plan: BoxPlan, world: MemoryWorld) {
    this.#plan = plan;
    this.#world = world;
  }

  isReady(name: string): boolean {
    return this.#held.get(name)?.state === "ready";
  }

  /** Names of the models that are loaded. */
  get ready(): string[] {
    return [...this.#held.keys()].filter((name) => this.isReady(name));
  }

  clear(): void {
    this.#held.clear();
  }

  /** Takes a request. */
  add(exchange: ChatExchange, plan: ModelPlan): void {
    const held = this.#held.get(plan.name) ?? {
      plan,
      state: "absent",
      active: new Set(),
      waiting: [],
      usedMs: 0,
      readyMs: 0,
      isLeaving: false,
    };
    this.#held.set(plan.name, held);
    held.waiting.push(exchange);
    this.proceed();
  }

  /** A request is over. {@link proceed} follows. */
  over(exchange: ChatExchange): void {
    for (const { active } of this.#held.values()) active.delete(exchange);
  }

  /** Begins what can begin: requests in free slots, and one load at a time. */
  proceed(): void {
    const all = [...this.#held.values()];
    for (const held of all) held.waiting = held.waiting.filter(({ isOpen }) => isOpen);
    const wanted = all.find(({ state, waiting }) => state === "absent" && waiting.length > 0);
    for (const held of all) {
      // The requests that needed the room may have left.
      if (wanted === undefined) held.isLeaving = false;
      if (held.state === "ready" && !held.isLeaving) this.#fillSlots(held);
    }
    if (wanted === undefined || all.some(({ state }) => state === "loading")) return;
    if (this.ready.length < this.#plan.room || this.#hasMadeRoom(all)) this.#load(wanted);
  }

  #fillSlots(held: HeldModel): void {
    while (held.active.size < this.#plan.slots) {
      const next = held.waiting.shift();
      if (next === undefined) return;
      held.active.add(next);
      held.usedMs = this.#world.nowMs();
      this.#world.onSlot(next, held);
    }
  }

  /** Makes the model leave that was used first. Returns whether it is gone. */
  #hasMadeRoom(all: readonly HeldModel[]): boolean {
    const [leaving] = all
      .filter(({ state }) => state === "ready")
      .sort((a, b) => Number(b.isLeaving) - Number(a.isLeaving) || a.usedMs - b.usedMs);
    if (leaving === undefined) return false;
    leaving.isLeaving = true;
    if (leaving.active.size > 0) return false;
    const { plan, waiting } = leaving;
    this.#held.delete(plan.name);
    // Behind the others: it is loaded again for those that still wait.
    if (waiting.length > 0)
      this.#held.set(plan.name, { ...leaving, state: "absent", isLeaving: false });
    return true;
  }

  #load(held: HeldModel): void {
    held.state = "loading";
    this.#world.after(held.plan.loadMs / this.#plan.speed, () => {
      held.state = "ready";
      held.readyMs = held.usedMs = this.#world.nowMs();
      this.proceed();
    });
  }
}
