/**
 * A box of the replayed day: an Ollama that loads, evicts and serves models, and its power. Pure: the
 * caller passes in the time, and calls again when something is due.
 */
import { MEMORY_PER_SIZE } from "../../worker/gateway/choice/estimate.ts";
import type { ReplayedCall, ReplayedModel } from "./trace.ts";

export type BoxPlan = {
  name: string;
  memoryBytes: number;
  /** The speed of an 8B model, with one request alone. */
  tokensPerSecond: number;
  promptTokensPerSecond: number;
  diskBytesPerSecond: number;
  slots: number;
  idleW: number;
  loadedW: number;
  busyW: number;
  /** Names of the models on disk. */
  models: readonly string[];
};

/** A call on its box. */
export type Served = {
  call: ReplayedCall;
  arrivedMs: number;
  /** When it got a slot. */
  begunMs: number;
  /** When its first token came, and its last one. */
  firstMs: number;
  endMs: number;
  /** The load that it caused; null if none. */
  loadMs: number | null;
};

type Held = {
  model: ReplayedModel;
  /** Infinite while it has not begun. */
  readyMs: number;
  usedMs: number;
  active: Served[];
  waiting: { call: ReplayedCall; arrivedMs: number }[];
  /** It makes room once its requests have ended. */
  isLeaving: boolean;
  /** The prompts that its slots keep, newest first. */
  kept: { conversation: string | null; tokens: number }[];
  /** The load, until a call has been charged with it. */
  loadMs: number | null;
};

/** Ollama's default. */
const KEEP_ALIVE_MS = 5 * 60_000;
const LOAD_MS = 1_500;
/** Each request beside another slows all by this share. */
const BESIDE = 0.15;

export class ReplayedBox {
  readonly plan: BoxPlan;
  readonly #held = new Map<string, Held>();
  #nowMs = 0;
  #joules = 0;
  loads = 0;

  constructor(plan: BoxPlan) {
    this.plan = plan;
  }

  get wattHours(): number {
    return this.#joules / 3_600;
  }

  /** Returns the models in memory. */
  get loaded(): string[] {
    return [...this.#held.values()].flatMap(({ model, readyMs }) =>
      readyMs <= this.#nowMs ? model.name : [],
    );
  }

  /** Returns the open requests of a model, or of all. */
  open(model?: string): number {
    let open = 0;
    for (const { model: held, active, waiting } of this.#held.values())
      if (model === undefined || held.name === model) open += active.length + waiting.length;
    return open;
  }

  get freeBytes(): number {
    let free = this.plan.memoryBytes;
    for (const { model, readyMs } of this.#held.values())
      if (readyMs !== Number.POSITIVE_INFINITY) free -= memoryOf(model);
    return free;
  }

  arrive(call: ReplayedCall, nowMs: number): Served[] {
    const ended = this.advance(nowMs);
    const held = this.#held.get(call.model.name) ?? {
      model: call.model,
      readyMs: Number.POSITIVE_INFINITY,
      usedMs: nowMs,
      active: [],
      waiting: [],
      isLeaving: false,
      kept: [],
      loadMs: null,
    };
    this.#held.set(call.model.name, held);
    held.waiting.push({ call, arrivedMs: nowMs });
    this.#serve();
    return ended;
  }

  /** Lets time pass. Returns the calls that have ended. */
  advance(nowMs: number): Served[] {
    const ended: Served[] = [];
    for (let dueMs = this.dueMs; dueMs <= nowMs; dueMs = this.dueMs) {
      this.#passTo(dueMs);
      for (const held of this.#held.values()) {
        const over = held.active.filter(({ endMs }) => endMs <= dueMs);
        if (over.length === 0) continue;
        held.active = held.active.filter(({ endMs }) => endMs > dueMs);
        held.usedMs = dueMs;
        ended.push(...over);
      }
      this.#unload();
      this.#serve();
    }
    this.#passTo(nowMs);
    return ended;
  }

  /** Returns when something happens by itself; infinite if nothing does. */
  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { readyMs, usedMs, active, waiting } of this.#held.values()) {
      if (readyMs > this.#nowMs) dueMs = Math.min(dueMs, readyMs);
      for (const { endMs } of active) dueMs = Math.min(dueMs, endMs);
      if (active.length + waiting.length === 0 && readyMs <= this.#nowMs)
        dueMs = Math.min(dueMs, usedMs + KEEP_ALIVE_MS);
    }
    return dueMs;
  }

  #passTo(nowMs: number): void {
    this.#joules += (this.#watts() * (nowMs - this.#nowMs)) / 1_000;
    this.#nowMs = nowMs;
  }

  #watts(): number {
    const { idleW, loadedW, busyW } = this.plan;
    const held = [...this.#held.values()];
    if (held.some(({ active }) => active.length > 0)) return busyW;
    return held.some(({ readyMs }) => readyMs !== Number.POSITIVE_INFINITY)
      ? idleW + loadedW
      : idleW;
  }

  #unload(): void {
    for (const [name, held] of this.#held) {
      if (held.active.length > 0 || held.readyMs > this.#nowMs) continue;
      const isIdle = held.waiting.length === 0 && this.#nowMs >= held.usedMs + KEEP_ALIVE_MS;
      if (isIdle) this.#held.delete(name);
      else if (held.isLeaving) this.#drop(name, held);
    }
  }

  #drop(name: string, held: Held): void {
    this.#held.delete(name);
    const { model, waiting } = held;
    if (waiting.length === 0) return;
    const again = { ...held, model, readyMs: Number.POSITIVE_INFINITY, isLeaving: false, kept: [] };
    this.#held.set(name, again); // behind the others
  }

  #serve(): void {
    for (const held of this.#held.values()) {
      if (held.readyMs > this.#nowMs || held.isLeaving) continue;
      while (held.active.length < this.plan.slots && held.waiting.length > 0) this.#begin(held);
    }
    // After the others: a model that was just loaded serves before it makes room again.
    for (const held of [...this.#held.values()])
      if (held.readyMs === Number.POSITIVE_INFINITY) this.#load(held);
  }

  /** Loads a model, if there is room now. Otherwise makes the model leave that was used first. */
  #load(held: Held): void {
    const others = [...this.#held.values()]
      .filter((other) => other !== held && other.readyMs <= this.#nowMs)
      .sort((a, b) => a.active.length - b.active.length || a.usedMs - b.usedMs);
    let free = this.freeBytes;
    for (const other of others) {
      if (free >= memoryOf(held.model)) break;
      free += memoryOf(other.model);
      other.isLeaving = true;
      if (other.active.length === 0) this.#drop(other.model.name, other);
    }
    if (this.freeBytes < memoryOf(held.model)) return;
    held.loadMs = loadMsOn(this.plan, held.model);
    held.readyMs = this.#nowMs + held.loadMs;
    held.usedMs = held.readyMs;
    this.loads++;
  }

  #begin(held: Held): void {
    const next = held.waiting.shift();
    if (next === undefined) return;
    const { call, arrivedMs } = next;
    const { tokensPerSecond, promptTokensPerSecond } = this.plan;
    const slower = call.model.pace * (1 + BESIDE * this.#active());
    const tokens = call.promptTokens - this.#keptTokens(held, call);
    const firstMs = this.#nowMs + (1_000 * slower * tokens) / promptTokensPerSecond;
    const endMs = firstMs + (1_000 * slower * call.answerTokens) / tokensPerSecond;
    const { loadMs } = held;
    held.loadMs = null;
    held.active.push({ call, arrivedMs, begunMs: this.#nowMs, firstMs, endMs, loadMs });
  }

  /** Returns the tokens of a prompt that a slot has read before, and has a slot keep this prompt. */
  #keptTokens(held: Held, { conversation, promptTokens }: ReplayedCall): number {
    const before = held.kept.find(
      (each) => conversation !== null && each.conversation === conversation,
    );
    const others = held.kept.filter((each) => each !== before);
    held.kept = [{ conversation, tokens: promptTokens }, ...others].slice(0, this.plan.slots);
    return before?.tokens ?? 0;
  }

  #active(): number {
    let active = 0;
    for (const held of this.#held.values()) active += held.active.length;
    return active;
  }
}

export const memoryOf = ({ bytes }: ReplayedModel): number => bytes * MEMORY_PER_SIZE;

export const loadMsOn = ({ diskBytesPerSecond }: BoxPlan, { bytes }: ReplayedModel): number =>
  LOAD_MS + (1_000 * bytes) / diskBytesPerSecond;
