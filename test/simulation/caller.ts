/** A caller with one stream: quick, slow, or leaving. Checks each byte of its answer. */
import { endingOf } from "../../protocol/ending.ts";
import { RECONNECT_MS } from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import { wireErrorOf } from "../../worker/errors.ts";
import type { CallerAnswer, EdgeStreamActions } from "../../worker/gateway/stream/actions.ts";
import type { EarlyAnswer } from "../../worker/gateway/stream/early-answer.ts";
import type { Ended } from "../../worker/gateway/stream/ended.ts";
import { type AnswerPlan, type Exchange, isOfAnswer } from "./ollama.ts";
import { SimulatedStream, type StreamPlan, type StreamWorld } from "./stream.ts";

export type CallPlan = Omit<StreamPlan, "box"> & {
  open: Open;
  answer: AnswerPlan;
  /** Time in which the caller takes a kilobyte. */
  msPerKilobyte: number;
  /** When the caller leaves, counted from the beginning of its wait; null if it stays. */
  leavesAfterMs: number | null;
};

export type CallWorld = Omit<StreamWorld, "onAnswer" | "onEarly" | "onWrite" | "onEnded"> & {
  box: string;
  /** The Box refused the stream, which never began. */
  onRefused(id: string): void;
  /** The stream is over, as far as its caller is concerned. */
  onEnded(call: Call, ended: Ended): void;
  /** Returns the local requests of this call, in order. */
  exchangesOf(id: string): Exchange[];
};

/**
 * The result that the caller got. `torn`: an answer that had begun and broke off without an ending.
 */
export type CallResult = "nothing" | "error" | "whole" | "ending" | "torn" | "left";

export class Call {
  readonly plan: CallPlan;
  readonly #world: CallWorld;
  readonly #stream: SimulatedStream;
  #gotBytes = 0;
  #hasBegun = false;
  #early: EarlyAnswer | null = null;
  /** The exchange whose bytes the caller gets. */
  #exchange: Exchange | null = null;
  result: CallResult = "nothing";
  /** Signs of life that the caller got before its answer. */
  keepalives = 0;
  ended: Ended | null = null;
  endedMs: number | null = null;
  leftMs: number | null = null;
  readonly beganMs: number;

  constructor(plan: CallPlan, world: CallWorld) {
    this.plan = plan;
    this.#world = world;
    this.beganMs = world.schedule.nowMs;
    this.#stream = new SimulatedStream(
      { ...plan, box: world.box },
      {
        ...world,
        onEarly: (early) => {
          this.#early = early;
        },
        onAnswer: (answer) => this.#answer(answer),
        onWrite: (write, finish) => this.#write(write, finish),
        onEnded: (ended) => this.#over(ended),
      },
    );
    this.#stream.attach({ model: null, openMost: null, waitMs: RECONNECT_MS }, (decision) => {
      if (decision !== null && decision.kind !== "taken") world.onRefused(plan.id);
    });
    if (plan.leavesAfterMs !== null) this.#stream.after(plan.leavesAfterMs, () => this.#leave());
  }

  get isDone(): boolean {
    return this.#stream.isDone;
  }

  /** Kills the Worker, and the caller's connection with it. */
  kill(): void {
    this.#stream.kill();
  }

  #leave(): void {
    if (this.#stream.isOver) return;
    this.leftMs ??= this.#world.schedule.nowMs;
    this.result = "left";
    this.#stream.leave();
  }

  #write(write: EdgeStreamActions["write"], finish: EdgeStreamActions["finish"]): void {
    if (write !== null && finish === null && !this.#stream.hasBoxAnswer) this.#takeKeepalive(write);
    else if (write !== null) this.#take(write, finish === "close");
    if (finish === "break") this.result = "torn";
    if (write !== null || finish === "close") this.#confirmLater(write, finish);
  }

  #confirmLater(write: EdgeStreamActions["write"], finish: EdgeStreamActions["finish"]): void {
    const { chance, broken } = this.#world;
    const takeMs = ((write?.length ?? 0) / 1_024) * this.plan.msPerKilobyte + chance.between(0, 3);
    this.#stream.after(takeMs, () => {
      if (this.leftMs !== null) return;
      if (finish === null) return this.#stream.wrote();
      if (write === null) this.#complete();
      this.#stream.closed();
      if (this.result === "nothing") broken("an answer that was closed without a result");
    });
  }

  /** Checks an answer that was closed in order: it must be whole. */
  #complete(): void {
    const exchange =
      this.#exchange ??
      this.#world
        .exchangesOf(this.plan.id)
        .find(({ hasEnded, plan }) => hasEnded && plan.bytes === 0);
    if (exchange === undefined || !exchange.hasEnded || this.#gotBytes !== exchange.plan.bytes)
      this.#world.broken(
        `an answer that was closed as whole has ${this.#gotBytes} bytes of ${exchange?.plan.bytes}`,
      );
    this.result = "whole";
  }

  #answer(answer: CallerAnswer): void {
    if (this.#hasBegun) this.#world.broken("an answer that began twice");
    this.#hasBegun = true;
    if (answer.kind === "failed" && this.#early !== null)
      this.#takeEnding(this.#early.partOf(answer));
    else if (answer.kind === "failed") this.result = "error";
    else if (answer.kind === "whole") {
      this.#take(answer.body ?? new Uint8Array(0), false);
      this.#complete();
    }
  }

  #take(bytes: Uint8Array, isEnding: boolean): void {
    if (isEnding) return this.#takeEnding(bytes);
    if (bytes.length === 0) return;
    this.#exchange ??=
      this.#world
        .exchangesOf(this.plan.id)
        .find(
          ({ number, sentBytes }) => sentBytes > 0 && isOfAnswer(bytes.subarray(0, 64), number, 0),
        ) ?? null;
    if (this.#exchange === null || !isOfAnswer(bytes, this.#exchange.number, this.#gotBytes))
      this.#world.broken(`foreign bytes at ${this.#gotBytes}`);
    this.#gotBytes += bytes.length;
    if (this.#gotBytes > this.#exchange.sentBytes)
      this.#world.broken("more bytes than Ollama sent");
  }

  #takeKeepalive(bytes: Uint8Array): void {
    this.keepalives++;
    if (bytes.length !== 1 || bytes[0] !== 0x20 || this.#gotBytes > 0)
      this.#world.broken("a sign of life that is no space before the answer");
  }

  /** Checks the last bytes of an answer that broke off: an error in its format. */
  #takeEnding(bytes: Uint8Array): void {
    const failure = { reason: "ollama_broke", message: "x" } as const;
    const form = endingOf(
      this.plan.answer.type,
      this.plan.open.api,
      wireErrorOf(failure),
      this.plan.id,
      true,
    );
    if (form === null || !new TextDecoder().decode(bytes).includes('"error"'))
      this.#world.broken("an invalid ending");
    this.result = "ending";
  }

  #over(ended: Ended): void {
    if (this.ended !== null) this.#world.broken("a stream that ended twice");
    this.ended = ended;
    this.endedMs = this.#world.schedule.nowMs;
    this.#world.onEnded(this, ended);
  }
}
