/**
 * The callers and their own ledger: for each call, the request, the answer byte by byte, and how it
 * ended for the caller.
 */
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { bodyOf, type CallPlan, Checker, PATHS, type Shape } from "./answers.ts";

/** How a call ended for its caller. */
export type Outcome =
  /** Every byte arrived, and the connection ended properly. */
  | "whole"
  /** The call was refused with an HTTP status and an error. */
  | "refused"
  /** The answer began and ended with an error in its own format. */
  | "errored"
  /** The answer began and its connection broke. */
  | "broken"
  /** The caller disconnected. */
  | "left"
  /** Not even a status arrived. The call may or may not have reached the edge. */
  | "unanswered"
  /** The outcome that must never occur: wrong bytes, or a short answer that looks complete. */
  | "wrong";

export type Entry = {
  callPlan: CallPlan;
  /** The request id, if there was an answer. */
  id: string | null;
  status: number | null;
  outcome: Outcome;
  /** How the call ended, for people. */
  why: string;
  bytes: number;
  totalMs: number;
};

/** The reason for an answer that only its content shows to be broken. */
export const ENDED_IN_ORDER = "the answer is incomplete, but the HTTP message ends properly";

/** A call in progress. */
export class OpenCall {
  readonly callPlan: CallPlan;
  readonly ended: Promise<Entry>;
  /** Resolves when the answer begins or the call ends without one. */
  readonly begun: Promise<void>;
  lastByteMs = 0;
  isOver = false;
  readonly #request: http.ClientRequest;
  readonly #checker: Checker;
  #response: http.IncomingMessage | null = null;
  #waiting: ((nowMs: number) => void)[] = [];
  #hasLeft = false;

  constructor(
    port: number,
    callPlan: CallPlan,
    readBytesPerSecond: number | null,
    mayEndInOrder: boolean,
  ) {
    this.callPlan = callPlan;
    this.#checker = new Checker(callPlan);
    const body = bodyOf(callPlan);
    const headers = {
      "user-agent": callPlan.key,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    };
    const startMs = performance.now();
    this.#request = http.request({
      port,
      host: "127.0.0.1",
      method: "POST",
      path: PATHS[callPlan.shape],
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
        callPlan,
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
          return verdict === "errored" ? over("errored", rest) : over("broken", failure);
        if (verdict === "cut" && mayEndInOrder) return over("broken", ENDED_IN_ORDER);
        if (verdict === "cut")
          return over("wrong", `a short answer that looks complete: ${this.#checker.bytes} bytes`);
        over(verdict, rest);
      });
    });
    this.#request.end(body);
  }

  /**
   * Resolves with the monotonic time in ms of the next byte or of the end; null if neither comes
   * within the limit.
   */
  nextByte(limitMs: number): Promise<number | null> {
    if (this.isOver) return Promise.resolve(performance.now());
    return Promise.race([
      new Promise<number>((resolve) => this.#waiting.push(resolve)),
      sleep(limitMs, null, { ref: false }),
    ]);
  }

  /** Disconnects the caller. */
  leave(): void {
    this.#hasLeft = true;
    this.#request.destroy();
  }
}

/** Shapes whose next byte means progress: a JSON value arrives only when it is complete. */
export const streamed = (calls: Iterable<OpenCall>): OpenCall[] =>
  [...calls].filter(({ callPlan }) => callPlan.shape !== "json");

/** Callers of one Worker, and their ledger. */
export class Callers {
  readonly port: number;
  readonly entries: Entry[] = [];
  readonly open = new Set<OpenCall>();
  readonly #name: string;
  readonly #mayEndInOrder: boolean;
  #count = 0;

  /**
   * @param name           prefix of every key, unique in its run
   * @param mayEndInOrder  whether the server in front of the Worker ends an answer properly when
   *   the Worker dies, as wrangler does
   */
  constructor(name: string, port: number, mayEndInOrder: boolean) {
    this.#name = name;
    this.port = port;
    this.#mayEndInOrder = mayEndInOrder;
  }

  call(
    shape: Shape,
    tokens: number,
    tokenMs: number,
    more: { pieceBytes?: number; readBytesPerSecond?: number } = {},
  ): OpenCall {
    const key = `${this.#name}-${this.#count++}`;
    const { pieceBytes, readBytesPerSecond = null } = more;
    const callPlan: CallPlan = {
      key,
      shape,
      tokens,
      tokenMs,
      ...(pieceBytes === undefined ? {} : { pieceBytes }),
    };
    const call = new OpenCall(this.port, callPlan, readBytesPerSecond, this.#mayEndInOrder);
    this.open.add(call);
    void call.ended.then((entry) => {
      this.open.delete(call);
      this.entries.push(entry);
    });
    return call;
  }

  /**
   * Runs this many callers, each repeating the calls that `next` returns until `isOver`. Resolves
   * when the last answer has ended.
   */
  async load(
    count: number,
    next: () => { shape: Shape; tokens: number; tokenMs: number },
    isOver: () => boolean,
    pauseMs = 0,
  ): Promise<void> {
    const one = async () => {
      while (!isOver()) {
        const { shape, tokens, tokenMs } = next();
        const { outcome } = await this.call(shape, tokens, tokenMs).ended;
        // A real caller waits before it retries. Without a delay, a dead edge would get thousands
        // of calls a second.
        await sleep(outcome === "whole" ? pauseMs : Math.max(pauseMs, 50));
      }
    };
    await Promise.all(Array.from({ length: count }, one));
  }

  count(outcome: Outcome): number {
    return this.entries.filter((entry) => entry.outcome === outcome).length;
  }

  /** Lists outcomes that must never occur, one sentence each. */
  get wrongs(): string[] {
    return this.entries
      .filter(({ outcome }) => outcome === "wrong")
      .map(({ callPlan, why }) => `${callPlan.key} (${callPlan.shape}): ${why}`);
  }
}
