/** A caller and the edge's end of its stream: the product's core, with simulated sockets and a caller that is quick, slow, or leaves. */
import { endingOf } from "../../protocol/ending.ts";
import { encodeFrames } from "../../protocol/frames.ts";
import { DATA_BYTES_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import { wireErrorOf } from "../../worker/errors.ts";
import type { EdgeStreamActions } from "../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../worker/gateway/stream/edge-stream-core.ts";
import type { Ended } from "../../worker/gateway/stream/ended.ts";
import type { Pulse } from "../../worker/gateway/stream/pulse.ts";
import type { Chance } from "./chance.ts";
import type { End } from "./link.ts";
import { type AnswerPlan, type Exchange, isOfAnswer } from "./ollama.ts";
import type { Schedule } from "./schedule.ts";

export type CallPlan = {
  id: string;
  open: Open;
  body: Uint8Array | null;
  /** The body comes in pieces. */
  streamsBody: boolean;
  answer: AnswerPlan;
  /** How long the caller takes for a kilobyte, ms. */
  msPerKilobyte: number;
  /** Leaves so long after it began to wait; null: stays. */
  leavesAfterMs: number | null;
};

export type CallWorld = {
  schedule: Schedule;
  chance: Chance;
  pulse: Pulse;
  /** A new socket to the Box; null when it refuses. */
  attachAgain(id: string): End | null;
  /** The edge keeps the record. */
  onEnded(call: Call, ended: Ended): void;
  /** What Ollama was asked for this call, in order. */
  exchangesOf(id: string): Exchange[];
  /** @throws always: says what does not hold. */
  broken(what: string): never;
};

/** What the caller got. `torn`: an answer that had begun, and did not end as it should have. */
export type CallResult = "nothing" | "error" | "whole" | "ending" | "torn" | "left";

export class Call {
  readonly plan: CallPlan;
  readonly #world: CallWorld;
  readonly #core: EdgeStreamCore;
  #end: End;
  #isAlive = true;
  #isDone = false;
  #lookAtMs = Number.POSITIVE_INFINITY;
  #bodyAt = 0;
  #gotBytes = 0;
  #hasBegun = false;
  /** The exchange whose bytes the caller gets. */
  #exchange: Exchange | null = null;
  result: CallResult = "nothing";
  ended: Ended | null = null;
  endedMs: number | null = null;
  leftMs: number | null = null;
  readonly beganMs: number;

  constructor(plan: CallPlan, end: End, world: CallWorld) {
    this.plan = plan;
    this.#world = world;
    this.#end = end;
    this.beganMs = world.schedule.nowMs;
    const { id, open } = plan;
    this.#core = new EdgeStreamCore(
      { id, box: "box", open },
      plan.streamsBody ? "streamed" : plan.body,
      world.pulse,
      world.chance.random,
    );
    world.pulse.open++;
    this.#listen(end);
    this.#do(this.#core.begin(world.schedule.nowMs));
    if (plan.leavesAfterMs !== null) this.#after(plan.leavesAfterMs, () => this.#leave());
  }

  get isDone(): boolean {
    return this.#isDone || !this.#isAlive;
  }

  /** The Worker was killed, and the caller's connection with it. */
  kill(): void {
    if (!this.#isDone) this.#end.reset();
    if (!this.#core.isOver) this.#world.pulse.open--;
    this.#isAlive = false;
  }

  /** The socket to the Box is lost. */
  cut(): End {
    return this.#end;
  }

  #after(ms: number, run: () => void): void {
    this.#world.schedule.after(ms, () => this.#isAlive && run());
  }

  #listen(end: End): void {
    const isCurrent = () => this.#isAlive && !this.#isDone && end === this.#end;
    end.onMessage = (message) => {
      if (isCurrent() && typeof message !== "string")
        this.#do(this.#core.received(message, this.#world.schedule.nowMs));
    };
    end.onClose = () => isCurrent() && this.#do(this.#core.lost(this.#world.schedule.nowMs));
  }

  #leave(): void {
    if (this.#core.isOver) return;
    this.leftMs = this.#world.schedule.nowMs;
    this.result = "left";
    if (!this.#end.isOpen) this.#do(this.#core.lost(this.#world.schedule.nowMs));
    this.#do(this.#core.callerGone(this.#world.schedule.nowMs));
  }

  #do(acts: EdgeStreamActions): void {
    const { chance } = this.#world;
    if (acts.frames.length > 0 && this.#end.isOpen) this.#end.send(encodeFrames(acts.frames));
    if (acts.answer !== null) this.#begin(acts.answer);
    if (acts.ended !== null) this.#over(acts.ended);
    if (acts.write !== null) this.#take(acts.write, acts.finish === "close");
    if (acts.finish === "break") this.result = "torn";
    if (acts.write !== null || acts.finish === "close") this.#takeInTime(acts);
    if (acts.readsBody) this.#after(chance.between(0, 20), () => this.#readBody());
    if (acts.redialMs !== null) this.#after(acts.redialMs, () => this.#redial());
    if (acts.isDone) {
      this.#isDone = true;
      this.#end.close(1000);
    } else this.#lookInTime();
    this.#checkMemory();
  }

  #takeInTime({ write, finish }: EdgeStreamActions): void {
    const { chance, broken } = this.#world;
    const takeMs = ((write?.length ?? 0) / 1_024) * this.plan.msPerKilobyte + chance.between(0, 3);
    this.#after(takeMs, () => {
      if (this.leftMs !== null) return;
      if (finish === null) return this.#do(this.#core.wrote());
      if (write === null) this.#complete();
      this.#do(this.#core.closed());
      if (this.result === "nothing") broken("an answer that was closed, and nothing heard");
    });
  }

  /** The answer is closed in order: then it is whole. */
  #complete(): void {
    const exchange =
      this.#exchange ??
      this.#world
        .exchangesOf(this.plan.id)
        .find(({ hasEnded, plan }) => hasEnded && plan.bytes === 0);
    if (exchange === undefined || !exchange.hasEnded || this.#gotBytes !== exchange.plan.bytes)
      this.#world.broken(
        `an answer that was taken as whole has ${this.#gotBytes} bytes of ${exchange?.plan.bytes}`,
      );
    this.result = "whole";
  }

  #begin(answer: NonNullable<EdgeStreamActions["answer"]>): void {
    if (this.#hasBegun) this.#world.broken("an answer that began twice");
    this.#hasBegun = true;
    if (answer.kind === "failed") this.result = "error";
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
      this.#world.broken(`bytes at ${this.#gotBytes} that are not Ollama's`);
    this.#gotBytes += bytes.length;
    if (this.#gotBytes > this.#exchange.sentBytes)
      this.#world.broken("more bytes than Ollama sent");
  }

  /** The last bytes of an answer that broke off are an error in its format. */
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
      this.#world.broken("an ending that is none");
    this.result = "ending";
  }

  #over(ended: Ended): void {
    if (this.ended !== null) this.#world.broken("a stream that ended twice");
    this.ended = ended;
    this.endedMs = this.#world.schedule.nowMs;
    this.#world.pulse.open--;
    this.#world.onEnded(this, ended);
  }

  #readBody(): void {
    const { body } = this.plan;
    const { chance } = this.#world;
    if (this.#isDone) return;
    if (body === null || this.#bodyAt >= body.length) return this.#do(this.#core.body(null));
    const chunk = body.subarray(this.#bodyAt, this.#bodyAt + chance.whole(1, 100_000));
    this.#bodyAt += chunk.length;
    this.#do(this.#core.body(chunk));
  }

  #redial(): void {
    if (this.#isDone) return;
    const end = this.#world.attachAgain(this.plan.id);
    if (end === null) return this.#do(this.#core.refused());
    this.#end = end;
    this.#listen(end);
    this.#do(this.#core.attached(this.#world.schedule.nowMs));
  }

  #lookInTime(): void {
    const { nowMs } = this.#world.schedule;
    const atMs = this.#core.nextTickMs(nowMs);
    if (atMs === null || this.#lookAtMs <= atMs) return;
    this.#lookAtMs = atMs;
    this.#after(atMs - nowMs, () => {
      if (this.#lookAtMs !== atMs) return;
      this.#lookAtMs = Number.POSITIVE_INFINITY;
      if (!this.#isDone) this.#do(this.#core.tick(this.#world.schedule.nowMs));
    });
  }

  #checkMemory(): void {
    const { request, answer } = this.#core.kept;
    if (request > WINDOW_BYTES + DATA_BYTES_MAX)
      this.#world.broken(`the edge keeps ${request} bytes of a request`);
    if (answer > WINDOW_BYTES + DATA_BYTES_MAX)
      this.#world.broken(`the edge keeps ${answer} bytes of an answer`);
  }
}
