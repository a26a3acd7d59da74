/**
 * One isolate of the Worker: the boxes as it knows them, their load, and the conversations. The product's
 * choice of a box decides; this is the shell around it, as `known-fleet.ts` and `fleet.ts` are.
 */
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
import { newPulse, type Pulse } from "../../../worker/gateway/stream/pulse.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { Chance } from "../chance.ts";
import type { Schedule } from "../schedule.ts";
import type { FleetAggregator } from "./aggregator.ts";
import type { FleetCallPlan } from "./plan.ts";

/** A call that finds the fleet older has it refreshed beside it. */
const REFRESH_MS = 5_000;
/** A call waits this long for a newer fleet, and then goes on with the older one. */
const ANSWER_MS = 1_000;

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
    if (ageMs >= REFRESH_MS) this.refresh();
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
    this.#world.schedule.after(ANSWER_MS, () => this.isAlive && once(this.#known));
  }

  refresh(): void {
    if (this.#waiting === null) this.#request(() => {});
  }

  /** Returns the boxes as they are known now. */
  get boxes(): readonly FleetBox[] {
    return this.#known?.boxes ?? [];
  }

  /** Ranks the boxes for a call. @param isPartial  a newer fleet may have more boxes for it */
  ranked(call: FleetCallPlan, boxes: readonly FleetBox[], isPartial: boolean): BoxChoice[] {
    const { model, conversation } = call;
    const { promptTokens } = wantedPrompt(null);
    const kept =
      conversation === null
        ? null
        : this.#conversations.kept(conversation, promptTokens, this.nowMs);
    const wanted = { model, promptTokens, numCtx: null, kept };
    const choices = chooseBoxes(boxes, wanted, this.#present(call));
    if (!isPartial) return choices;
    return choices.filter(({ box }) =>
      boxes.some((known) => known.name === box && holds(known, model)),
    );
  }

  /** A Box has taken a call. Its models may have changed since they were known. */
  noteModels(name: string, modelsAt: string | undefined): void {
    const knownAt = this.boxes.find((box) => box.name === name)?.models_at ?? null;
    const isNewer = modelsAt !== undefined && knownAt !== null && knownAt < modelsAt;
    if (this.boxes.length > 1 && isNewer) this.refresh();
  }

  keepOn(box: string, { conversation }: FleetCallPlan): void {
    if (conversation !== null) this.#conversations.served(conversation, box, null, this.nowMs);
  }

  /** Corrects the fleet by a Box that refused a call. */
  learnRefusal(box: string, reason: FailureReason["reason"]): void {
    if (reason === "box_down") this.#correct(box, { state: "down", last_seen_ms: 0 });
    if (reason === "box_draining") this.#correct(box, { state: "draining", last_seen_ms: 0 });
  }

  /** Corrects the fleet by a box that failed a call. */
  learnFailure(box: string, reason: MoveReason, model: string): void {
    if (reason === "ollama_unreachable" || reason === "no_answer")
      this.#correct(box, { is_reachable: false });
    if (reason === "draining") this.#correct(box, { state: "draining" });
    if (reason === "tunnel_lost") this.#correct(box, { state: "down" });
    const known = this.boxes.find(({ name }) => name === box);
    if (reason === "model_not_found" && known !== undefined) {
      const others = (names: string[]) => names.filter((name) => name !== model);
      this.#correct(box, { loaded: others(known.loaded), installed: others(known.installed) });
    }
    this.refresh();
  }

  #correct(name: string, now: Partial<FleetBox>): void {
    if (this.#known === null) return;
    const boxes = this.#known.boxes.map((box) => (box.name === name ? { ...box, ...now } : box));
    this.#known = { ...this.#known, boxes };
  }

  #present({ model, conversation }: FleetCallPlan): Present {
    const { nowMs } = this;
    return {
      loadOf: ({ name, models, readings_at_ms }, serviceMs) => {
        const { open = null, slots = null } = models[model] ?? {};
        const reported =
          open === null || readings_at_ms === null ? null : { open, slots, atMs: readings_at_ms };
        return this.loads.of(name, model, reported, serviceMs, nowMs);
      },
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
    this.#world.aggregator.fleet((boxes) => {
      if (!this.isAlive) return;
      if (this.#waiting === waiting) this.#waiting = null;
      if (boxes !== null) this.#known = { boxes, atMs };
      for (const each of waiting) each(boxes === null ? null : this.#known);
    });
  }
}
