/**
 * One isolate of the Worker: the boxes as it knows them, their load, and the conversations. The product's
 * choice of a box decides; this is the shell around it, as `known-fleet.ts` and `fleet.ts` are.
 */
import { FLEET_ANSWER_MS } from "../../../protocol/limits.ts";
import type { FleetBox } from "../../../worker/aggregator/fleet-box.ts";
import type { FailureReason } from "../../../worker/errors.ts";
import { Conversations } from "../../../worker/gateway/choice/conversations.ts";
import { wantedPrompt } from "../../../worker/gateway/choice/estimate.ts";
import { KnownLoads } from "../../../worker/gateway/choice/known-load.ts";
import { placeOnRing } from "../../../worker/gateway/choice/opening.ts";
import {
  type BoxChoice,
  canServe,
  chooseBoxes,
  holds,
  type Present,
} from "../../../worker/gateway/choose.ts";
import type { MoveReason } from "../../../worker/gateway/failover.ts";
import {
  ASKED_AGAIN_MS,
  afterFailure,
  afterRefusal,
  areModelsNewer,
  isRefreshDue,
  noteUnreachable,
  reportedLoad,
  withUnreachable,
} from "../../../worker/gateway/known-boxes.ts";
import { newPulse, type Pulse } from "../../../worker/gateway/stream/pulse.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { Chance } from "../chance.ts";
import type { Schedule } from "../schedule.ts";
import type { FleetAggregator } from "./aggregator.ts";
import type { FleetCallPlan } from "./plan.ts";

export type IsolateWorld = {
  schedule: Schedule;
  chance: Chance;
  aggregator: FleetAggregator;
};

export type KnownBoxes = { boxes: FleetBox[]; atMs: number };

export class Isolate {
  readonly loads = new KnownLoads();
  isAlive = true;
  readonly #world: IsolateWorld;
  readonly #pulses = new Map<string, Pulse>();
  readonly #conversations = new Conversations();
  readonly #unreachable = new Map<string, number>();
  #known: KnownBoxes | null = null;
  #waiting: ((boxes: KnownBoxes | null) => void)[] | null = null;

  constructor(world: IsolateWorld) {
    this.#world = world;
  }

  get nowMs(): number {
    return EPOCH_MS + this.#world.schedule.nowMs;
  }

  /** The streams of this isolate that are counted as open. */
  get open(): number {
    return [...this.#pulses.values()].reduce((sum, { open }) => sum + open, 0);
  }

  pulseOf(box: string): Pulse {
    const pulse = this.#pulses.get(box) ?? newPulse();
    this.#pulses.set(box, pulse);
    return pulse;
  }

  /**
   * Finds the fleet for a call: as it is known if that can serve the call, or a newer one.
   * @param done  `isFromBefore`: it was known before the call; null if none could be had
   */
  fleetFor(
    { model }: FleetCallPlan,
    done: (known: KnownBoxes | null, isFromBefore: boolean) => void,
  ): void {
    const known = this.#known;
    if (known === null) return this.#request((newer) => done(newer, false));
    const ageMs = this.#world.schedule.nowMs - known.atMs;
    if (!canServe(known.boxes, null, model, ageMs))
      return this.newer((newer) => done(newer, false));
    if (isRefreshDue(known.boxes, ageMs)) this.refresh();
    done(known, true);
  }

  /** Waits for a newer fleet, at most for a second. */
  newer(done: (known: KnownBoxes | null) => void): void {
    let isDone = false;
    const once = (known: KnownBoxes | null) => {
      if (!isDone) done(known ?? this.#known);
      isDone = true;
    };
    this.#request(once);
    this.#world.schedule.after(FLEET_ANSWER_MS, () => this.isAlive && once(this.#known));
  }

  refresh(): void {
    if (this.#waiting === null) this.#request(() => {});
  }

  /** Returns the boxes as they are known now. */
  get boxes(): readonly FleetBox[] {
    return this.#known?.boxes ?? [];
  }

  /** Ranks the boxes for a call. @param onlyHolders  leaves out boxes that lack its model */
  ranked(call: FleetCallPlan, boxes: readonly FleetBox[], onlyHolders: boolean): BoxChoice[] {
    const { model, conversation } = call;
    const { promptTokens } = wantedPrompt(null);
    const kept =
      conversation === null
        ? null
        : this.#conversations.kept(conversation, promptTokens, this.nowMs);
    const wanted = { model, promptTokens, numCtx: null, kept };
    const choices = chooseBoxes(boxes, wanted, this.#present(call));
    if (!onlyHolders) return choices;
    return choices.filter(({ box }) =>
      boxes.some((known) => known.name === box && holds(known, model)),
    );
  }

  /** A Box has taken a call. Its models may have changed since they were known. */
  noteModels(name: string, modelsAt: string | undefined): void {
    if (areModelsNewer(this.boxes, name, modelsAt)) this.refresh();
  }

  keepOn(box: string, { conversation }: FleetCallPlan): void {
    if (conversation !== null) this.#conversations.served(conversation, box, null, this.nowMs);
  }

  /** Corrects the fleet by a Box that refused a call. */
  learnRefusal(box: string, reason: FailureReason["reason"]): void {
    this.#correct(afterRefusal(this.boxes, box, reason));
  }

  /** Corrects the fleet by a box that failed a call. */
  learnFailure(box: string, reason: MoveReason, model: string): void {
    noteUnreachable(this.#unreachable, box, reason, this.nowMs);
    this.#correct(afterFailure(this.boxes, box, reason, model));
    if (this.#isOld) this.refresh();
  }

  /** Finds the fleet for a call whose boxes have failed. */
  afterFailure(done: (known: KnownBoxes | null) => void): void {
    if (this.#isOld) this.newer(done);
    else done(this.#known);
  }

  get #isOld(): boolean {
    const ageMs = this.#world.schedule.nowMs - (this.#known?.atMs ?? -ASKED_AGAIN_MS);
    return ageMs >= ASKED_AGAIN_MS;
  }

  #correct(boxes: FleetBox[]): void {
    if (this.#known !== null) this.#known = { ...this.#known, boxes };
  }

  #present({ model, conversation }: FleetCallPlan): Present {
    const { nowMs } = this;
    return {
      loadOf: (box, serviceMs) =>
        this.loads.of(box.name, model, reportedLoad(box, model), serviceMs, nowMs),
      orderOf: (box) =>
        conversation === null
          ? this.pulseOf(box).open + this.#world.chance.random()
          : placeOnRing(`${conversation} ${box}`),
      nowMs,
    };
  }

  #request(done: (known: KnownBoxes | null) => void): void {
    if (this.#waiting !== null) return void this.#waiting.push(done);
    const waiting = [done];
    this.#waiting = waiting;
    const atMs = this.#world.schedule.nowMs;
    this.#world.aggregator.fleet((read) => {
      if (!this.isAlive) return;
      const boxes = read && withUnreachable(read, this.#unreachable);
      if (this.#waiting === waiting) this.#waiting = null;
      if (boxes !== null) this.#known = { boxes, atMs };
      for (const each of waiting) each(boxes === null ? null : this.#known);
    });
  }
}
