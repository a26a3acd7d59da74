/**
 * The known parallel slots of each model. Pure.
 *
 * A slot serves one request at a time. Their number is `OLLAMA_NUM_PARALLEL`, which no answer of Ollama
 * contains. Without that setting the agent finds out: it sends one request more than it knows slots
 * for, a probe. If Ollama begins the probe beside the others, there is another slot, and the next
 * step is twice as large. If one of the others ends first, that was the last slot, and the next probe is later.
 */
import { withTag } from "../../protocol/inventory.ts";
import { SLOTS_DEFAULT } from "../../protocol/limits.ts";

/**
 * The most probes of a model at once. It also bounds what waits in Ollama while no answer shows its
 * turn.
 */
export const PROBES_MAX = 16;

const ASK_AGAIN_MS = 60_000;
const ASK_AGAIN_MS_MAX = 3_600_000;

type Known = {
  /** The most requests that had a slot at once. */
  seen: number;
  /** Probes that may be open at once. */
  step: number;
  /** No probes before this time, monotonic ms. */
  askMs: number;
  waitMs: number;
};

const nothing = (): Known => ({
  seen: 0,
  step: 1,
  askMs: Number.NEGATIVE_INFINITY,
  waitMs: ASK_AGAIN_MS,
});

export class Slots {
  readonly #given: number | null;
  readonly #known = new Map<string, Known>();

  /** @param given  `OLLAMA_NUM_PARALLEL`; null if unknown */
  constructor(given: number | null) {
    this.#given = given === null ? null : Math.max(1, given);
  }

  /** Returns the slots of a model: those given, or those seen. */
  of(model: string): number {
    return Math.max(this.#given ?? SLOTS_DEFAULT, this.#known.get(withTag(model))?.seen ?? 0);
  }

  /** Returns how many requests of a model may be with Ollama now, probes included. */
  admitted(model: string, nowMs: number): number {
    if (this.#given !== null) return this.of(model);
    const { step, askMs } = this.#known.get(withTag(model)) ?? nothing();
    return this.of(model) + (nowMs < askMs ? 0 : step);
  }

  /** This number of requests of the model had a slot at once. */
  saw(model: string, working: number): void {
    if (working <= this.of(model)) return;
    const known = this.#knownOf(model);
    known.seen = working;
    known.waitMs = ASK_AGAIN_MS;
    this.#widen(known);
  }

  /** A probe began only after another request had ended: it had waited for a slot. */
  sawNone(model: string, nowMs: number): void {
    const known = this.#knownOf(model);
    known.step = 1;
    known.askMs = nowMs + known.waitMs;
    known.waitMs = Math.min(2 * known.waitMs, ASK_AGAIN_MS_MAX);
  }

  /** A probe ended, and its answer did not show whether it had waited. */
  sawNothing(model: string): void {
    this.#widen(this.#knownOf(model));
  }

  /** The model left the memory. The next time, Ollama may give it other slots. */
  forget(model: string): void {
    this.#known.delete(withTag(model));
  }

  #widen(known: Known): void {
    known.step = Math.min(2 * known.step, PROBES_MAX);
  }

  #knownOf(model: string): Known {
    const name = withTag(model);
    const known = this.#known.get(name) ?? nothing();
    this.#known.set(name, known);
    return known;
  }
}
