/**
 * The edge's end of one stream: the product's core on simulated sockets, as `edge-stream.ts` is on
 * real ones. Its owner plays the caller.
 */
import { encodeFrames, type Frame } from "../../protocol/frames.ts";
import { DATA_BYTES_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import { type AttachKey, carriedOf } from "../../worker/box/attach.ts";
import type { CallerAnswer, EdgeStreamActions } from "../../worker/gateway/stream/actions.ts";
import type { EarlyAnswer } from "../../worker/gateway/stream/early-answer.ts";
import { EdgeStreamCore } from "../../worker/gateway/stream/edge-stream-core.ts";
import type { Ended } from "../../worker/gateway/stream/ended.ts";
import type { Pulse } from "../../worker/gateway/stream/pulse.ts";
import type { StreamRequest } from "./box.ts";
import type { Chance } from "./chance.ts";
import type { End } from "./link.ts";
import type { AttachAnswer } from "./network.ts";
import type { Schedule } from "./schedule.ts";

export type StreamPlan = {
  id: string;
  box: string;
  open: Open;
  body: Uint8Array | null;
  /** The key of the caller, if it has limits. */
  key?: AttachKey | null;
  /** The body comes in parts. */
  streamsBody: boolean;
  /** The agent ends the stream if it loses its tunnel: another box can serve the call. */
  yields?: boolean;
  /** The caller's answer, which has begun while the call was on another box. */
  early?: EarlyAnswer | null;
};

export type StreamWorld = {
  schedule: Schedule;
  chance: Chance;
  /** The pulse of the box in this isolate. */
  pulse: Pulse;
  /** Dials a new socket to the Box, which answers later, if at all. */
  dial(request: StreamRequest, onAnswer: (answer: AttachAnswer) => void): End;
  /** The caller's answer begins before that of the box. */
  onEarly(early: EarlyAnswer): void;
  /** The answer of the box is decided. */
  onAnswer(answer: CallerAnswer): void;
  /** Bytes or the end of the answer are for the caller: `wrote` or `closed` follows. */
  onWrite(write: EdgeStreamActions["write"], finish: EdgeStreamActions["finish"]): void;
  /** The stream is over, as far as its caller is concerned. */
  onEnded(ended: Ended): void;
  /** @throws {Broken} always, with the invariant that does not hold */
  broken(what: string): never;
};

/** How the Box answered the first request of a stream; null if the answer was lost. */
export type Decision = AttachAnswer | null;

export class SimulatedStream {
  readonly #plan: StreamPlan;
  readonly #world: StreamWorld;
  readonly #core: EdgeStreamCore;
  /** The socket to the Box; null while the first one is on its way. */
  #end: End | null = null;
  #isAlive = true;
  #isDone = false;
  #isDecided = false;
  #isLeft = false;
  /** The newest socket that was dialled. */
  #attaching: End | null = null;
  #tickAtMs = Number.POSITIVE_INFINITY;
  #bodyAt = 0;

  constructor(plan: StreamPlan, world: StreamWorld) {
    this.#plan = plan;
    this.#world = world;
    const { id, box, open, body, streamsBody, yields, early } = plan;
    this.#core = new EdgeStreamCore(
      { id, box, open, yields: yields === true, early: early ?? null },
      streamsBody ? "streamed" : body,
      world.pulse,
      world.chance.random,
    );
  }

  get isDone(): boolean {
    return this.#isDone || !this.#isAlive;
  }

  /** True once the caller has something of a box's answer. */
  get hasBoxAnswer(): boolean {
    return this.#core.observed.hasBoxAnswer;
  }

  /** True once the stream is over, as far as its caller is concerned. */
  get isOver(): boolean {
    return this.#core.isOver;
  }

  /** Kills the Worker, and the caller's connection with it. */
  kill(): void {
    if (!this.#isDone) for (const end of [this.#end, this.#attaching]) end?.reset();
    if (this.#end !== null && !this.#core.isOver) this.#world.pulse.open--;
    this.#isAlive = false;
  }

  /**
   * Attaches the stream, once. Its first frames travel with the request.
   * @param onDecided  called once; the stream has begun unless the Box did not take it
   */
  attach(
    how: Pick<StreamRequest, "model" | "openMost" | "waitMs">,
    onDecided: (decision: Decision) => void,
  ): void {
    const { carried, rest } = carriedOf(this.#core.open());
    const frames = carried.length === 0 ? null : encodeFrames(carried);
    const { id, key = null } = this.#plan;
    const request = { ...how, key, id, isResume: false, carried: frames };
    const decide = (decision: Decision, missing: readonly Frame[] | null) => {
      if (!this.#isAlive || this.#isDecided) return;
      this.#isDecided = true;
      if (decision === null || decision.kind === "taken") this.#begin(end, missing);
      else this.#isDone = true;
      onDecided(decision);
    };
    const end = this.#world.dial(request, (answer) => {
      const isRelayed = answer.kind === "taken" && answer.isRelayed;
      decide(answer, isRelayed ? rest : [...carried, ...rest]);
    });
    this.#attaching = end;
    // The Box may have passed the frames on.
    end.onClose = () => decide(null, null);
  }

  /** The caller leaves. */
  leave(): void {
    this.#isLeft = true;
    if (this.#core.isOver || this.#end === null) return; // otherwise as soon as the stream has begun
    if (!this.#end.isOpen) this.#do(this.#core.lost(this.#world.schedule.nowMs));
    this.#do(this.#core.callerGone(this.#world.schedule.nowMs));
  }

  /** The caller took the last write. */
  wrote(): void {
    if (this.#isAlive) this.#do(this.#core.wrote());
  }

  /** The caller took the end of its answer. */
  closed(): void {
    if (this.#isAlive) this.#do(this.#core.closed());
  }

  /** It is decided if the call stays on the box of this stream. */
  settled(stays: boolean): void {
    if (this.#isAlive) this.#do(this.#core.settled(stays));
  }

  /** Runs later, unless the Worker is killed before. */
  after(ms: number, run: () => void): void {
    this.#world.schedule.after(ms, () => this.#isAlive && run());
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
    if (this.#isLeft) this.leave();
  }

  #listen(end: End): void {
    const isCurrent = () => this.#isAlive && !this.#isDone && end === this.#end;
    end.onMessage = (message) => {
      if (isCurrent() && typeof message !== "string")
        this.#do(this.#core.received(message, this.#world.schedule.nowMs));
    };
    end.onClose = () => isCurrent() && this.#do(this.#core.lost(this.#world.schedule.nowMs));
  }

  /** Runs the actions of the core, in their order. */
  #do(acts: EdgeStreamActions): void {
    const { chance, pulse, onAnswer, onEarly, onEnded, onWrite } = this.#world;
    if (acts.frames.length > 0 && this.#end?.isOpen) this.#end.send(encodeFrames(acts.frames));
    if (acts.early !== null) onEarly(acts.early);
    if (acts.answer !== null) onAnswer(acts.answer);
    if (acts.ended !== null) {
      pulse.open--;
      onEnded(acts.ended);
    }
    if (acts.write !== null || acts.finish !== null) onWrite(acts.write, acts.finish);
    if (acts.readsBody) this.after(chance.between(0, 20), () => this.#readBody());
    if (acts.redialMs !== null) this.after(acts.redialMs, () => this.#redial());
    if (acts.isDone) {
      this.#isDone = true;
      this.#end?.close(1000);
    } else this.#scheduleTick();
    this.#checkMemory();
  }

  #readBody(): void {
    const { body } = this.#plan;
    if (this.#isDone) return;
    if (body === null || this.#bodyAt >= body.length) return this.#do(this.#core.body(null));
    const to = this.#bodyAt + this.#world.chance.whole(1, 100_000);
    const chunk = body.subarray(this.#bodyAt, to);
    this.#bodyAt += chunk.length;
    this.#do(this.#core.body(chunk));
  }

  #redial(): void {
    if (this.#isDone) return;
    const { key = null } = this.#plan;
    const first = { model: null, key, openMost: null, waitMs: 0, carried: null };
    const end = this.#world.dial({ ...first, id: this.#plan.id, isResume: true }, (answer) => {
      if (!this.#isAlive || !end.isOpen) return;
      if (answer.kind !== "taken") return end.reset();
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
    this.after(atMs - nowMs, () => {
      if (this.#tickAtMs !== atMs) return;
      this.#tickAtMs = Number.POSITIVE_INFINITY;
      if (!this.#isDone) this.#do(this.#core.tick(this.#world.schedule.nowMs));
    });
  }

  #checkMemory(): void {
    const { request, answer } = this.#core.observed;
    if (request > WINDOW_BYTES + DATA_BYTES_MAX)
      this.#world.broken(`the edge keeps ${request} bytes of a request`);
    if (answer > WINDOW_BYTES + DATA_BYTES_MAX)
      this.#world.broken(`the edge keeps ${answer} bytes of an answer`);
  }
}
