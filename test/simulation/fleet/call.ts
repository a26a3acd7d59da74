/**
 * One call of a caller, on one box after the other: the product's path of a call decides, with the
 * product's stream at each box. Checks that the answer is that of one exchange, whole and in order.
 */
import { EARLY_STATUS } from "../../../protocol/limits.ts";
import type { FleetBox } from "../../../worker/aggregator/fleet-box.ts";
import { type FailureReason, GatewayError, wireErrorOf } from "../../../worker/errors.ts";
import { insteadOfMissing, nobodyFor } from "../../../worker/gateway/absent-holders.ts";
import {
  beginPath,
  busier,
  type CallPath,
  chosen,
  ended,
  hasNext,
  needsHolder,
  refused,
  type Serving,
  type Trying,
  taken,
} from "../../../worker/gateway/call-path.ts";
import { holdersOf } from "../../../worker/gateway/choose.ts";
import { moveReasonOf, outcomeOf } from "../../../worker/gateway/failover.ts";
import type { CallerAnswer } from "../../../worker/gateway/stream/actions.ts";
import type { EarlyAnswer } from "../../../worker/gateway/stream/early-answer.ts";
import type { Ended } from "../../../worker/gateway/stream/ended.ts";
import { SimulatedStream } from "../stream.ts";
import {
  type Attempt,
  type Fallback,
  type FleetResult,
  isCompleting,
  limitErrorOf,
  refusalOf,
  streamPlanOf,
} from "./attempt.ts";
import { CallRecord } from "./call-record.ts";
import type { FleetCallWorld } from "./call-world.ts";
import type { Isolate, KnownBoxes } from "./isolate.ts";
import type { FleetCallPlan } from "./plan.ts";

export class FleetCall {
  readonly plan: FleetCallPlan;
  readonly #world: FleetCallWorld;
  readonly beganMs: number;
  readonly record: CallRecord;
  result: FleetResult = "nothing";
  /** The failure that the caller got. */
  failure: FailureReason["reason"] | null = null;
  /** The status that the caller got; null if it has left. */
  status: number | null = null;
  /** The boxes as they were known when the call was placed. */
  fleet: readonly FleetBox[] = [];
  /** The boxes that have been well since before the call, until its answer. */
  wellThroughout = new Set<string>();
  doneMs: number | null = null;
  leftMs: number | null = null;
  isKilled = false;
  /** A box has it, as far as its isolate knows. */
  isPlaced = false;
  /** Its key may do no more, or the count of its key did not answer. */
  isLimited = false;
  readonly #streams: SimulatedStream[] = [];
  /** The newest attempt; null if its Box refused it, and before the first. */
  #attempt: Attempt | null = null;
  /** The box that has just reported its load with a refusal. */
  #busier: string | null = null;
  /** The answer. */
  text = "";
  /** The answer, if it has begun before that of a box; null if it has not. */
  #early: EarlyAnswer | null = null;
  #hasBegun = false;
  /** The attempt whose answer the caller gets; null before, and without one. */
  last: Attempt | null = null;

  constructor(plan: FleetCallPlan, world: FleetCallWorld) {
    this.plan = plan;
    this.#world = world;
    this.beganMs = world.schedule.nowMs;
    this.record = new CallRecord(plan, world);
    world.isolate.fleetFor(plan, (known, isFromBefore) => {
      if (this.isKilled) return;
      if (known === null) return this.#refuse({ reason: "internal" });
      this.fleet = known.boxes;
      this.#walk(beginPath({ mayAsk: isFromBefore, mayMove: !plan.isHeavy }));
    });
    if (plan.leavesAfterMs !== null)
      world.schedule.after(plan.leavesAfterMs, () => !this.isKilled && this.#leave());
  }

  get isolate(): Isolate {
    return this.#world.isolate;
  }

  get isDone(): boolean {
    return this.doneMs !== null;
  }

  /** Kills the Worker, and the caller's connection with it. */
  kill(): void {
    this.isKilled = true;
    for (const stream of this.#streams) stream.kill();
    this.doneMs ??= this.#world.schedule.nowMs;
  }

  #leave(): void {
    if (this.isDone || this.leftMs !== null) return;
    this.leftMs = this.#world.schedule.nowMs;
    this.result = "left";
    this.#attempt?.stream.leave();
  }

  /** Takes the next steps of the path. @param fallback  null before a box has failed */
  #walk(path: CallPath, fallback: Fallback | null = null): void {
    const { isolate } = this.#world;
    switch (path.at) {
      case "choosing": {
        const go = () => {
          const choices = isolate.ranked(this.plan, this.fleet, needsHolder(path));
          this.#walk(chosen(path, choices), fallback);
        };
        if (path.by !== "newest") return go();
        const goBy = (newer: KnownBoxes | null) => {
          if (this.isKilled) return;
          this.fleet = newer?.boxes ?? this.fleet;
          go();
        };
        if (path.failed.length === 0) return isolate.newer(goBy);
        return isolate.afterFailure(goBy);
      }
      case "trying":
        return this.#try(path, fallback);
      case "serving":
        return; // its stream goes on
      case "over":
        if (fallback === null)
          return this.#refuse(path.refusal?.failure ?? nobodyFor(this.fleet, this.plan.model));
        return this.#stand(fallback);
    }
  }

  #try(path: Trying, fallback: Fallback | null): void {
    const { schedule, chance, isolate, dial, key, broken } = this.#world;
    const { box, openMost, reason } = path.choice;
    const { id, model } = this.plan;
    const takesMayAsk = this.fleet.some((each) => each.name === box && each.takes_may_ask);
    const serving = taken(path, takesMayAsk);
    const { mayAsk } = serving;
    const counted = isolate.loads.enter(box, model);
    const mayMove = serving.others.length > 0;
    const yields = mayMove && this.fleet.some((each) => each.name === box && each.yields_lost);
    const how = { box, mayMove, mayAsk, yields, early: this.#early, key };
    const plan = streamPlanOf(this.plan, how);
    const attempt: Attempt = {
      box,
      reason,
      beganMs: schedule.nowMs,
      left: counted.left,
      end: null,
      stream: new SimulatedStream(plan, {
        schedule,
        chance,
        pulse: isolate.pulseOf(box),
        dial: (request, onAnswer) => dial(box, request, onAnswer),
        onEarly: (begun) => {
          this.#early = begun;
          this.status = EARLY_STATUS;
        },
        onAnswer: (answer) => this.#answered(attempt, serving, answer),
        onWrite: (write, finish) => this.#take(attempt, write, finish),
        onEnded: (end) => this.#ended(attempt, end),
        broken,
      }),
    };
    this.#attempt = attempt;
    this.#streams.push(attempt.stream);
    const to = { model, openMost, waitMs: path.waitMs };
    attempt.stream.attach(to, (decision) => {
      if (decision === null || decision.kind === "taken") {
        this.isPlaced = decision !== null;
        counted.taken(decision?.load ?? null, isolate.nowMs);
        isolate.noteModels(box, decision?.load?.modelsAt);
        if (fallback === null) isolate.keepOn(box, this.plan);
        else this.record.moved(fallback);
        const isChecked = openMost !== null && path.refusal === null;
        this.#world.onTaken(this, box, isChecked || box === this.#busier);
        if (this.leftMs !== null) attempt.stream.leave();
        return;
      }
      counted.left();
      this.#attempt = null;
      this.#world.trace(`${id} ${decision.kind} by ${box}`);
      if (decision.kind === "busier") {
        isolate.loads.learn(box, model, decision.load, isolate.nowMs);
        this.#busier = box;
        return this.#walk(busier(path), fallback);
      }
      if (decision.kind === "limited") {
        this.isLimited = true;
        return this.#walk(refused(path, limitErrorOf(decision.reached)), fallback);
      }
      isolate.learnRefusal(box, decision.reason);
      isolate.refresh();
      this.#walk(refused(path, new GatewayError(refusalOf(decision.reason, box))), fallback);
    });
  }

  /** No other box takes the call. */
  #stand(fallback: Fallback): void {
    const away = fallback.insteadIn(this.fleet);
    if (away === null) return this.#give(fallback.attempt, fallback.answer);
    this.record.moved(fallback, () => !this.isKilled && this.#refuse(away));
  }

  /** The answer of a box begins: it is the caller's, unless the call moves. */
  #answered(attempt: Attempt, serving: Serving, answer: CallerAnswer): void {
    const { isolate, schedule } = this.#world;
    const outcome = outcomeOf(answer);
    const { model } = this.plan;
    const isElsewhere = holdersOf(this.fleet, model).length > 0;
    const mayMove = hasNext(serving);
    const reason = mayMove ? moveReasonOf(outcome, isElsewhere) : null;
    const lacking = this.record.moves.filter((move) => move.reason === "model_not_found");
    const without = [attempt.box, ...lacking.map(({ box }) => box)];
    const insteadIn = (of: readonly FleetBox[]) => insteadOfMissing(outcome, model, of, without);
    const failed = reason ?? (insteadIn(this.fleet) === null ? null : "model_not_found");
    if (failed === null) return this.#give(attempt, answer);
    isolate.learnFailure(attempt.box, failed, model);
    const ms = schedule.nowMs - attempt.beganMs;
    const fallback = { attempt, answer, reason: failed, ms, insteadIn, isWithheld: mayMove };
    this.isPlaced = false;
    // The core is still at work on what it was given.
    schedule.after(0, () => !this.isKilled && this.#walk(ended(serving, reason), fallback));
  }

  #give(attempt: Attempt, answer: CallerAnswer): void {
    this.last = attempt;
    attempt.stream.after(0, () => attempt.stream.settled(true)); // the core is still at work
    if (attempt.end !== null) this.#ended(attempt, attempt.end);
    if (this.#hasBegun) this.#world.broken(`${this.plan.id}: an answer that began twice`);
    if (answer.kind === "abandoned") return this.#done("left");
    if (answer.kind === "failed") {
      this.#failed(answer.failure);
      return this.#done("failed");
    }
    if (answer.kind !== "continued") this.status ??= answer.status;
    this.#hasBegun = true;
    if (answer.kind === "streamed" || answer.kind === "continued") return;
    this.text = new TextDecoder().decode(answer.body ?? new Uint8Array(0));
    if (answer.status === 404) return this.#done("missing");
    if (answer.status !== 200) return this.#done("failed");
    this.#done("whole");
  }

  #take(attempt: Attempt, write: Uint8Array | null, finish: string | null): void {
    const { chance } = this.#world;
    if (write !== null) this.text += new TextDecoder().decode(write);
    if (finish === "break") return this.#done("torn");
    if (finish === "abandon") return this.#done("left");
    attempt.stream.after(chance.between(0, 3), () => {
      if (this.leftMs !== null) return;
      if (finish === null) return attempt.stream.wrote();
      const hasFailed = write !== null || this.text.includes('"error"');
      this.#done(hasFailed ? "ending" : "whole");
      attempt.stream.closed();
    });
  }

  #done(result: FleetResult): void {
    const { schedule, trace } = this.#world;
    if (this.result !== "left") this.result = result;
    this.doneMs ??= schedule.nowMs;
    trace(`${this.plan.id} ${this.result} ${this.failure ?? ""}`);
  }

  /** No box serves the call. */
  #refuse(failure: FailureReason): void {
    this.record.write("error", this.#failed(failure), null);
    this.#done("refused");
  }

  /** Returns the status that the caller got: that of the failure, unless its answer has begun. */
  #failed(failure: FailureReason): number {
    this.failure = failure.reason;
    this.status ??= wireErrorOf(failure).status;
    return this.status;
  }

  #ended(attempt: Attempt, end: Ended): void {
    attempt.left();
    attempt.end = end;
    // Until then another box may get the call.
    if (attempt !== this.last || end.by === "agent") return;
    const { status, httpStatus, afterMs } = end;
    const { isolate, schedule } = this.#world;
    schedule.after(afterMs, () => {
      if (isolate.isAlive) this.record.write(status, httpStatus, attempt, isCompleting(attempt));
    });
  }
}
