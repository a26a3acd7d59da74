/**
 * The load of models on boxes, as this isolate knows it. Pure: the caller passes in the time.
 *
 * A box is shared by many isolates, so its own count is what matters. The Box reports it in each answer
 * to an attach, and the agent in its readings, which come with the fleet. The isolate adds the streams
 * that it has begun since. The streams of others are expected to end at the pace of the model.
 */
import { SLOTS_DEFAULT } from "../../../protocol/limits.ts";
import type { ModelLoad } from "../../box/load.ts";

/** A report of the load at one time. */
export type LoadReport = ModelLoad & { atMs: number };

/** Streams of others are counted for this long if the pace of the model is unknown. */
const OTHERS_MS = 10_000;

/** Models that are remembered without a stream of this isolate. */
const IDLE_MAX = 2_000;

type Known = {
  /** Streams of this isolate, from the choice of the box to their end. */
  own: number;
  /** The part of them that the Box has answered, and so counts. */
  attached: number;
  /** Streams of others, by the last answer of the Box; null before the first. */
  others: LoadReport | null;
};

/** One stream of this isolate. Each of the calls counts once. */
export type CountedStream = {
  /** The Box has taken the stream. @param load  null from older Boxes */
  taken(load: ModelLoad | null, nowMs: number): void;
  /** The stream has ended, or was refused. */
  left(): void;
};

export class KnownLoads {
  readonly #known = new Map<string, Known>();

  /** Counts a stream that is about to be attached. @param model  with its tag */
  enter(box: string, model: string): CountedStream {
    const known = this.#knownOf(box, model);
    known.own++;
    let [isTaken, hasLeft] = [false, false];
    return {
      taken: (load, nowMs) => {
        if (isTaken || hasLeft) return;
        isTaken = true;
        known.attached++;
        if (load === null) return;
        // Answers come in the order in which the Box has counted the streams.
        const open = Math.max(0, load.open - known.attached);
        known.others = { open, slots: load.slots, atMs: nowMs };
      },
      left: () => {
        if (hasLeft) return;
        hasLeft = true;
        known.own--;
        if (isTaken) known.attached--;
      },
    };
  }

  /** Takes the load that a Box reported with a refusal. */
  learn(box: string, model: string, load: ModelLoad, nowMs: number): void {
    const known = this.#knownOf(box, model);
    known.others = {
      open: Math.max(0, load.open - known.attached),
      slots: load.slots,
      atMs: nowMs,
    };
  }

  /**
   * Returns the load now.
   * @param reported   by the agent; null if unknown
   * @param serviceMs  time of one request of the model there; null if unknown
   */
  of(
    box: string,
    model: string,
    reported: LoadReport | null,
    serviceMs: number | null,
    nowMs: number,
  ): ModelLoad {
    const { own = 0, others = null } = this.#known.get(keyOf(box, model)) ?? {};
    const byAgent = reported && { ...reported, open: Math.max(0, reported.open - own) };
    const newest = others !== null && others.atMs >= (byAgent?.atMs ?? 0) ? others : byAgent;
    const slots = newest?.slots ?? byAgent?.slots ?? others?.slots ?? null;
    const open = newest === null ? 0 : openAfter(newest, slots ?? SLOTS_DEFAULT, serviceMs, nowMs);
    return { open: own + open, slots };
  }

  #knownOf(box: string, model: string): Known {
    const key = keyOf(box, model);
    const known = this.#known.get(key) ?? { own: 0, attached: 0, others: null };
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size > IDLE_MAX)
      for (const [oldest, { own }] of this.#known)
        if (own === 0 && oldest !== key) {
          this.#known.delete(oldest);
          break;
        }
    return known;
  }
}

/** Returns the streams of others that are still open. */
function openAfter(
  { open, atMs }: LoadReport,
  slots: number,
  serviceMs: number | null,
  nowMs: number,
): number {
  const ageMs = Math.max(0, nowMs - atMs);
  if (serviceMs === null || serviceMs <= 0) return ageMs < OTHERS_MS ? open : 0;
  return Math.max(0, open - Math.floor((ageMs * slots) / serviceMs));
}

const keyOf = (box: string, model: string): string => `${box} ${model}`;
