/** Objects whose answers a test holds back, to count the round trips that a call waits for. */
import type { Bindings } from "../../worker/env.ts";
import type { Call } from "../../worker/gateway/serve.ts";
import { CHAT_OPEN } from "../support/chat-open.ts";

type Held = { name: string; release: () => void };

/** Bindings whose object calls, and messages on a stream's socket, wait until a round lets them go. */
export class HeldTrips {
  readonly env: Bindings;
  #held: Held[] = [];
  #isOver = false;
  #wake: () => void = () => {};

  constructor(bindings: Bindings) {
    this.env = {
      ...bindings,
      AGGREGATOR: this.#namespace("aggregator", bindings.AGGREGATOR),
      BOX: this.#namespace("box", bindings.BOX),
    };
  }

  /**
   * Lets everything go that is held, in rounds, until the promise has resolved.
   * @returns the names of what each round let go
   */
  async until(promise: Promise<unknown>): Promise<string[][]> {
    const rounds: string[][] = [];
    const over = promise.finally(() => {
      this.#isOver = true;
    });
    while (!this.#isOver) {
      const isHeld = new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#held.length > 0) resolve();
      });
      await Promise.race([over, isHeld]);
      if (!this.#isOver && this.#held.length > 0) rounds.push(this.#held.map(({ name }) => name));
      for (const { release } of this.#held.splice(0)) release();
    }
    await over;
    return rounds;
  }

  /** Resolves once a call or message of this name is held. */
  async untilHeld(name: string): Promise<void> {
    while (!this.#held.some((held) => held.name === name)) await scheduler.wait(1);
  }

  async #hold(name: string): Promise<void> {
    if (this.#isOver) return;
    await new Promise<void>((release) => {
      this.#held.push({ name, release });
      // Others of the same round are begun in the same turn.
      setTimeout(() => this.#wake());
    });
  }

  #namespace(name: string, namespace: DurableObjectNamespace): DurableObjectNamespace {
    const getByName = (object: string) => this.#stub(name, namespace.getByName(object));
    return { getByName } as unknown as DurableObjectNamespace;
  }

  #stub(name: string, stub: object): object {
    return proxyOf(stub, (method, run) => async (...args: unknown[]) => {
      await this.#hold(`${name}.${method}`);
      const answer = await run(...args);
      return answer instanceof Response && answer.webSocket !== null
        ? { webSocket: this.#socket(answer.webSocket), headers: answer.headers }
        : answer;
    });
  }

  #socket(socket: WebSocket): object {
    let before = Promise.resolve();
    return proxyOf(socket, (method, run) => {
      if (method !== "send" && method !== "close") return run;
      return (...args) => {
        before = before
          .then(() => (method === "send" ? this.#hold("socket.send") : undefined))
          .then(() => void run(...args))
          // A message to a Box that was closed is lost, as it is without this proxy.
          .catch(() => {});
      };
    });
  }
}

type Run = (...args: unknown[]) => unknown;

/** @param wrap  replaces the methods, which are called as methods: those of a stub cannot be bound */
const proxyOf = (target: object, wrap: (name: string, run: Run) => Run): object =>
  new Proxy(target as Record<string, unknown>, {
    get: (methods, name: string) =>
      typeof methods[name] === "function"
        ? wrap(name, (...args) => (methods as Record<string, Run>)[name]?.(...args))
        : methods[name],
    set: (_, name, value) => Reflect.set(target, name, value, target),
  });

/** Returns a call of `/api/chat` to this box. */
export const callOf = (wantedBox: string | null, id: string, startedMs: number): Call => ({
  id,
  wantedBox,
  startedMs,
  signal: new AbortController().signal,
  key: null,
  open: { ...CHAT_OPEN, started_at: new Date(startedMs).toISOString(), keep_text: true },
});
