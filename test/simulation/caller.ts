/**
 * A caller and the edge's end of its stream: the product's core, with simulated sockets and a
 * caller that is quick, slow, or leaves.
 */
import { endingOf } from "../../protocol/ending.ts";
import { encodeFrames, type Frame } from "../../protocol/frames.ts";
import { DATA_BYTES_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import { carriedOf } from "../../worker/box/attach.ts";
import { wireErrorOf } from "../../worker/errors.ts";
import type { EdgeStreamActions } from "../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../worker/gateway/stream/edge-stream-core.ts";
import type { Ended } from "../../worker/gateway/stream/ended.ts";
import type { Pulse } from "../../worker/gateway/stream/pulse.ts";
import type { StreamRequest } from "./box.ts";
import type { Chance } from "./chance.ts";
import type { End } from "./link.ts";
import type { AttachAnswer } from "./network.ts";
import { type AnswerPlan, type Exchange, isOfAnswer } from "./ollama.ts";
import type { Schedule } from "./schedule.ts";

export type CallPlan = {
  id: string;
  open: Open;
  body: Uint8Array | null;
  /** The body comes in parts. */
  streamsBody: boolean;
  answer: AnswerPlan;
  /** Time in which the caller takes a kilobyte. */
  msPerKilobyte: number;
  /** When the caller leaves, counted from the beginning of its wait; null if it stays. */
  leavesAfterMs: number | null;
};

export type CallWorld = {
  schedule: Schedule;
  chance: Chance;
  pulse: Pulse;
  /** Dials a new socket to the Box, which answers later, if at all. */
  attach(request: StreamRequest, onAnswer: (answer: AttachAnswer) => void): End;
  /** The Box refused the stream, which never began. */
  onRefused(id: string): void;
  /** The stream is over, as far as its caller is concerned. */
  onEnded(call: Call, ended: Ended): void;
  /** Returns the local requests of this call, in order. */
  exchangesOf(id: string): Exchange[];
  /** @throws {Broken} always, with the invariant that does not hold */
  broken(what: string): never;
};

/**
 * The result that the caller got. `torn`: an answer that had begun and broke off without an ending.
 */
export type CallResult = "nothing" | "error" | "whole" | "ending" | "torn" | "left";

export class Call {
  readonly plan: CallPlan;
  readonly #world: CallWorld;
  readonly #core: EdgeStreamCore;
  /** The socket to the Box; null while the first one is on its way. */
  #end: End | null = null;
  #isAlive = true;
  #isDone = false;
  /** The newest socket that was dialled. */
  #attaching: End | null = null;
  #tickAtMs = Number.POSITIVE_INFINITY;
  #bodyAt = 0;
  #gotBytes = 0;
  #hasBegun = false;
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
    const { id, open } = plan;
    this.#core = new EdgeStreamCore(
      { id, box: "box", open },
      plan.streamsBody ? "streamed" : plan.body,
      world.pulse,
      world.chance.random,
    );
    this.#attach();
    if (plan.leavesAfterMs !== null) this.#after(plan.leavesAfterMs, () => this.#leave());
  }

  get isDone(): boolean {
    return this.#isDone || !this.#isAlive;
  }

  /** Kills the Worker, and the caller's connection with it. */
  kill(): void {
    if (!this.#isDone) for (const end of [this.#end, this.#attaching]) end?.reset();
    if (this.#end !== null && !this.#core.isOver) this.#world.pulse.open--;
    this.#isAlive = false;
  }

  /** Attaches the stream. Its first frames travel with the request. */
  #attach(): void {
    const { carried, rest } = carriedOf(this.#core.open());
    const request = { id: this.plan.id, isResume: false, carried: encodeFrames(carried) };
    const end = this.#world.attach(request, (answer) => {
      if (!this.#isAlive || this.#end !== null) return;
      if (answer !== "refused")
        return this.#begin(end, answer === "relayed" ? rest : [...carried, ...rest]);
      this.#isDone = true;
      this.#world.onRefused(this.plan.id);
    });
    this.#attaching = end;
    // The Box may have passed the frames on.
    end.onClose = () => this.#isAlive && !this.#isDone && this.#begin(end, null);
  }

  /** @param rest  the first frames that the agent lacks; null if the Box did not answer */
  #begin(end: End, rest: readonly Frame[] | null): void {
    const { schedule, pulse } = this.#world;
    this.#end = end;
    pulse.open++;
    if (rest !== null) this.#listen(end);
    this.#do(
      rest === null ? this.#core.lost(schedule.nowMs) : this.#core.begin(schedule.nowMs, rest),
    );
    if (this.result === "left") this.#leave();
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
    this.leftMs ??= this.#world.schedule.nowMs;
    this.result = "left";
    if (this.#end === null) return; // as soon as the stream has begun
    if (!this.#end.isOpen) this.#do(this.#core.lost(this.#world.schedule.nowMs));
    this.#do(this.#core.callerGone(this.#world.schedule.nowMs));
  }

  #do(acts: EdgeStreamActions): void {
    const { chance } = this.#world;
    if (acts.frames.length > 0 && this.#end?.isOpen) this.#end.send(encodeFrames(acts.frames));
    if (acts.answer !== null) this.#answer(acts.answer);
    if (acts.ended !== null) this.#over(acts.ended);
    if (acts.write !== null && acts.finish === null && !this.#core.hasBoxAnswer)
      this.#takeKeepalive(acts.write);
    else if (acts.write !== null) this.#take(acts.write, acts.finish === "close");
    if (acts.finish === "break") this.result = "torn";
    if (acts.write !== null || acts.finish === "close") this.#confirmLater(acts);
    if (acts.readsBody) this.#after(chance.between(0, 20), () => this.#readBody());
    if (acts.redialMs !== null) this.#after(acts.redialMs, () => this.#redial());
    if (acts.isDone) {
      this.#isDone = true;
      this.#end?.close(1000);
    } else this.#scheduleTick();
    this.#checkMemory();
  }

  #confirmLater({ write, finish }: EdgeStreamActions): void {
    const { chance, broken } = this.#world;
    const takeMs = ((write?.length ?? 0) / 1_024) * this.plan.msPerKilobyte + chance.between(0, 3);
    this.#after(takeMs, () => {
      if (this.leftMs !== null) return;
      if (finish === null) return this.#do(this.#core.wrote());
      if (write === null) this.#complete();
      this.#do(this.#core.closed());
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

  #answer(answer: NonNullable<EdgeStreamActions["answer"]>): void {
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
    const request = { id: this.plan.id, isResume: true, carried: null };
    const end = this.#world.attach(request, () => {
      if (!this.#isAlive || !end.isOpen) return;
      if (this.#isDone) return end.close(1000);
      this.#end = end;
      this.#listen(end);
      this.#do(this.#core.attached(this.#world.schedule.nowMs));
    });
    this.#attaching = end;
    end.onClose = () => this.#isAlive && !this.#isDone && this.#do(this.#core.refused());
  }

  #scheduleTick(): void {
    const { nowMs } = this.#world.schedule;
    const atMs = this.#core.nextTickMs(nowMs);
    if (atMs === null || this.#tickAtMs <= atMs) return;
    this.#tickAtMs = atMs;
    this.#after(atMs - nowMs, () => {
      if (this.#tickAtMs !== atMs) return;
      this.#tickAtMs = Number.POSITIVE_INFINITY;
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
