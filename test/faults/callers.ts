/**
 * The callers, and the ledger that they keep themselves: what each of them asked, what it got byte by
 * byte, and how it saw it end.
 */
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Ask, bodyOf, Checker, PATHS, type Shape } from "./answers.ts";

/** How a call ended for its caller. */
export type Outcome =
  /** All bytes, and an end in order. */
  | "whole"
  /** Refused with an HTTP status and an error. */
  | "refused"
  /** The answer had begun, and ended with an error in its own format. */
  | "told"
  /** The answer had begun, and its connection broke. */
  | "broken"
  /** The caller left. */
  | "left"
  /** Not even a status: whether it was heard is not known. */
  | "unanswered"
  /** What must never happen: wrong bytes, or a short answer that looks whole. */
  | "wrong";

export type Entry = {
  ask: Ask;
  /** The request id, where there was an answer. */
  id: string | null;
  status: number | null;
  outcome: Outcome;
  /** For people: what it ended with. */
  why: string;
  bytes: number;
  totalMs: number;
};

/** Why a broken answer was one that only its content gave away. */
export const ENDED_IN_ORDER = "a part of the answer, and the HTTP message ends in order";

/** A call that is under way. */
export class OpenCall {
  readonly ask: Ask;
  readonly ended: Promise<Entry>;
  /** Resolves when the answer has begun, or the call is over without one. */
  readonly begun: Promise<void>;
  lastByteMs = 0;
  isOver = false;
  readonly #request: http.ClientRequest;
  readonly #checker: Checker;
  #response: http.IncomingMessage | null = null;
  #waiting: ((nowMs: number) => void)[] = [];
  #hasLeft = false;

  constructor(port: number, ask: Ask, readBytesPerSecond: number | null, mayEndInOrder: boolean) {
    this.ask = ask;
    this.#checker = new Checker(ask);
    const body = bodyOf(ask);
    const headers = {
      "user-agent": ask.key,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    };
    const startMs = performance.now();
    this.#request = http.request({
      port,
      host: "127.0.0.1",
      method: "POST",
      path: PATHS[ask.shape],
      headers,
      agent: false,
    });
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<Entry>();
    this.begun = begun.promise;
    this.ended = ended.promise;
    let failure = "";
    let refusal = "";
    const over = (outcome: Outcome, why: string) => {
      if (this.isOver) return;
      this.isOver = true;
      begun.resolve();
      for (const wake of this.#waiting.splice(0)) wake(performance.now());
      const id = this.#response?.headers["x-request-id"];
      const status = this.#response?.statusCode ?? null;
      const totalMs = performance.now() - startMs;
      ended.resolve({
        ask,
        id: typeof id === "string" ? id : null,
        status,
        outcome,
        why,
        bytes: this.#checker.bytes,
        totalMs,
      });
    };
    this.#request.on("error", (error) => {
      failure = error.message;
      if (this.#response === null) over(this.#hasLeft ? "left" : "unanswered", failure);
    });
    this.#request.on("response", (response) => {
      this.#response = response;
      begun.resolve();
      const isRefusal = response.statusCode !== 200;
      response.on("data", (chunk: Buffer) => {
        const nowMs = performance.now();
        this.lastByteMs = nowMs;
        for (const wake of this.#waiting.splice(0)) wake(nowMs);
        if (isRefusal) refusal += chunk.toString();
        else this.#checker.push(chunk);
        if (readBytesPerSecond === null) return;
        response.pause();
        setTimeout(() => response.resume(), (chunk.length * 1_000) / readBytesPerSecond);
      });
      response.on("error", (error) => {
        failure = error.message;
      });
      response.on("close", () => {
        if (isRefusal) return over("refused", `${response.statusCode} ${refusal.slice(0, 300)}`);
        const { verdict, rest } = this.#checker;
        if (verdict === "wrong")
          return over("wrong", `after ${this.#checker.bytes} bytes: ${rest.slice(0, 300)}`);
        if (this.#hasLeft) return over("left", "");
        if (!response.complete)
          return verdict === "told" ? over("told", rest) : over("broken", failure);
        if (verdict === "cut" && mayEndInOrder) return over("broken", ENDED_IN_ORDER);
        if (verdict === "cut")
          return over("wrong", `a short answer that looks whole: ${this.#checker.bytes} bytes`);
        over(verdict, rest);
      });
    });
    this.#request.end(body);
  }

  /** When the next byte after now came, or the end; monotonic ms. Null: not within the limit. */
  nextByte(limitMs: number): Promise<number | null> {
    if (this.isOver) return Promise.resolve(performance.now());
    return Promise.race([
      new Promise<number>((resolve) => this.#waiting.push(resolve)),
      sleep(limitMs, null, { ref: false }),
    ]);
  }

  /** The caller goes away. */
  leave(): void {
    this.#hasLeft = true;
    this.#request.destroy();
  }
}

/** Those whose next byte says something: a JSON value comes only when it is whole. */
export const streamed = (calls: Iterable<OpenCall>): OpenCall[] =>
  [...calls].filter(({ ask }) => ask.shape !== "json");

/** Callers of one Worker, and their ledger. */
export class Callers {
  readonly port: number;
  readonly entries: Entry[] = [];
  readonly open = new Set<OpenCall>();
  readonly #name: string;
  readonly #mayEndInOrder: boolean;
  #count = 0;

  /**
   * @param name           begins every key: unique in its run
   * @param mayEndInOrder  what is in front of the Worker ends an answer in order when the Worker dies: wrangler does
   */
  constructor(name: string, port: number, mayEndInOrder: boolean) {
    this.#name = name;
    this.port = port;
    this.#mayEndInOrder = mayEndInOrder;
  }

  ask(
    shape: Shape,
    tokens: number,
    tokenMs: number,
    more: { pieceBytes?: number; readBytesPerSecond?: number } = {},
  ): OpenCall {
    const key = `${this.#name}-${this.#count++}`;
    const { pieceBytes, readBytesPerSecond = null } = more;
    const ask: Ask = {
      key,
      shape,
      tokens,
      tokenMs,
      ...(pieceBytes === undefined ? {} : { pieceBytes }),
    };
    const call = new OpenCall(this.port, ask, readBytesPerSecond, this.#mayEndInOrder);
    this.open.add(call);
    void call.ended.then((entry) => {
      this.open.delete(call);
      this.entries.push(entry);
    });
    return call;
  }

  /** So many callers, each asking again and again as `next` says, until `isOver`. Resolves when the last answer has ended. */
  async load(
    count: number,
    next: () => { shape: Shape; tokens: number; tokenMs: number },
    isOver: () => boolean,
    pauseMs = 0,
  ): Promise<void> {
    const one = async () => {
      while (!isOver()) {
        const { shape, tokens, tokenMs } = next();
        const { outcome } = await this.ask(shape, tokens, tokenMs).ended;
        // A real caller waits before it tries again; without that a dead edge is asked thousands of times a second.
        await sleep(outcome === "whole" ? pauseMs : Math.max(pauseMs, 50));
      }
    };
    await Promise.all(Array.from({ length: count }, one));
  }

  count(outcome: Outcome): number {
    return this.entries.filter((entry) => entry.outcome === outcome).length;
  }

  /** What must never happen, in words. */
  get wrongs(): string[] {
    return this.entries
      .filter(({ outcome }) => outcome === "wrong")
      .map(({ ask, why }) => `${ask.key} (${ask.shape}): ${why}`);
  }
}
