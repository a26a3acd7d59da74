/**
 * A simulated Ollama. Each exchange answers with bytes of its own, so that a byte of another
 * exchange is noticed wherever it appears, even of a second one for the same request.
 */

import type { After } from "../../agent/clock/timers.ts";
import type { LocalExchange, LocalRequest } from "../../agent/request/ollama.ts";
import { seeded } from "../support/seeded.ts";
import type { Chance } from "./chance.ts";

/** The way in which one request is answered. */
export type AnswerPlan = {
  status: number;
  type: string;
  bytes: number;
  saysLength: boolean;
  /** Time to the first byte. */
  waitMs: number;
  /** Time between two chunks. */
  gapMs: number;
  chunkBytes: number;
  /** Closes the connection after this many bytes. */
  breaksAfter: number | null;
};

export type Exchange = {
  number: number;
  plan: AnswerPlan;
  sentBytes: number;
  body: Uint8Array[];
  hasBodyEnded: boolean;
  hasEnded: boolean;
  /** Not answered to its end, and unwanted. */
  isAborted: boolean;
  isOpen: boolean;
  /** When it was over, for any reason; null while it is open. */
  overMs: number | null;
};

const TABLE_BYTES = 65_521;
const TABLE = (() => {
  const random = seeded(1);
  const once = Uint8Array.from({ length: TABLE_BYTES }, () => Math.floor(random() * 256));
  return Buffer.concat([once, once]);
})();

/** Returns bytes of the answer of an exchange, at most {@link TABLE_BYTES}. */
export const answerBytes = (exchange: number, from: number, length: number): Buffer => {
  const at = (exchange * 7_919 + from) % TABLE_BYTES;
  return TABLE.subarray(at, at + length);
};

/** Returns true for the bytes of that answer at `from`. */
export function isOfAnswer(bytes: Uint8Array, exchange: number, from: number): boolean {
  for (let at = 0; at < bytes.length; at += TABLE_BYTES) {
    const part = bytes.subarray(at, at + TABLE_BYTES);
    if (answerBytes(exchange, from + at, part.length).compare(part) !== 0) return false;
  }
  return true;
}

export class SimulatedOllama {
  isDown = false;
  readonly exchanges: Exchange[] = [];
  readonly #chance: Chance;
  readonly #now: () => number;
  readonly #planOf: (path: string) => AnswerPlan;
  readonly #onRequest: (path: string, exchange: Exchange) => void;

  /** @param planOf  by the path, which names the request in this world */
  constructor(
    chance: Chance,
    now: () => number,
    planOf: (path: string) => AnswerPlan,
    onRequest: (path: string, exchange: Exchange) => void,
  ) {
    this.#chance = chance;
    this.#now = now;
    this.#planOf = planOf;
    this.#onRequest = onRequest;
  }

  /** Returns a client for the agent. @param after  timers of the agent's process */
  client(after: After): { send(local: LocalRequest): LocalExchange } {
    return { send: (local) => this.#send(local, after) };
  }

  /** Closes all connections: Ollama or the agent was killed. */
  dropAll(): void {
    for (const exchange of this.exchanges) {
      exchange.isAborted ||= exchange.isOpen;
      this.#end(exchange);
    }
  }

  #end(exchange: Exchange): void {
    if (exchange.isOpen) exchange.overMs = this.#now();
    exchange.isOpen = false;
  }

  #send(local: LocalRequest, after: After): LocalExchange {
    const chance = this.#chance;
    const key = local.headers.find(([name]) => name === "x-sim")?.[1] ?? local.path;
    const plan = this.#planOf(key);
    const exchange: Exchange = {
      number: this.exchanges.length,
      plan,
      sentBytes: 0,
      body: [],
      hasBodyEnded: local.body !== null,
      hasEnded: false,
      isAborted: false,
      isOpen: true,
      overMs: null,
    };
    this.exchanges.push(exchange);
    this.#onRequest(key, exchange);
    if (local.body !== null) exchange.body.push(...local.body);
    let [hasHead, isPaused, isWaiting] = [false, false, false];
    const fail = (message: string) => {
      if (!exchange.isOpen) return;
      this.#end(exchange);
      exchange.isAborted = true;
      local.onError(new Error(message), hasHead);
    };
    const step = () => {
      isWaiting = false;
      if (!exchange.isOpen) return;
      if (this.isDown) return fail("connection reset");
      if (!exchange.hasBodyEnded) return wait(20);
      if (!hasHead) {
        hasHead = true;
        const length = plan.saysLength
          ? [["content-length", String(plan.bytes)] as [string, string]]
          : [];
        local.onHead(plan.status, [["content-type", plan.type], ...length]);
        return wait(chance.isLikely(0.5) ? 0 : plan.gapMs);
      }
      if (isPaused) return;
      if (plan.breaksAfter !== null && exchange.sentBytes >= plan.breaksAfter)
        return fail("Ollama broke");
      if (exchange.sentBytes >= plan.bytes) {
        this.#end(exchange);
        exchange.hasEnded = true;
        return local.onEnd();
      }
      const length = Math.min(
        plan.bytes - exchange.sentBytes,
        1 + Math.floor(chance.random() * plan.chunkBytes),
      );
      const chunk = Buffer.from(answerBytes(exchange.number, exchange.sentBytes, length));
      exchange.sentBytes += length;
      local.onData(chunk);
      wait(plan.gapMs);
    };
    const wait = (ms: number) => {
      if (isWaiting) return;
      isWaiting = true;
      after(ms, step);
    };
    if (this.isDown) after(chance.between(0, 5), () => fail("connect ECONNREFUSED"));
    else wait(plan.waitMs);
    return {
      write: (chunk) => {
        exchange.body.push(chunk);
        return chance.isLikely(0.7);
      },
      onDrain: (resume) => void after(chance.between(0, 40), resume),
      end: () => {
        exchange.hasBodyEnded = true;
      },
      pause: () => {
        isPaused = true;
      },
      resume: () => {
        isPaused = false;
        if (hasHead) wait(0);
      },
      abort: () => {
        exchange.isAborted ||= exchange.isOpen;
        this.#end(exchange);
      },
    };
  }
}
