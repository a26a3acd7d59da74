/**
 * The turns of the requests at the parallel slots of one model: how long each waited. Pure.
 *
 * Ollama hands out the slots in order of arrival and reports none of it. The number of slots is the
 * one that the agent was given, otherwise Ollama's default, and at least as many as were seen working
 * at once.
 */
import { type Bounds, exactly } from "./bounds.ts";

/** `slotMs` is null while the request waits, and not a number if its wait is unknown. */
type Turn = { beginMs: number; slotMs: number | null };

export class SlotTurns {
  /** In order of arrival. */
  readonly #turns = new Map<string, Turn>();
  #slots: number;
  /** A slot may still evaluate a prompt whose caller left: Ollama's runner stops only after it. */
  #isUncertain = false;

  constructor(slots: number) {
    this.#slots = slots;
  }

  get size(): number {
    return this.#turns.size;
  }

  begin(id: string, nowMs: number): void {
    const isFree = this.#working() < this.#slots;
    const slotMs = !isFree ? null : this.#isUncertain ? Number.NaN : nowMs;
    this.#turns.set(id, { beginMs: nowMs, slotMs });
  }

  /** A request has its first content, so it has a slot. */
  content(id: string): void {
    const turn = this.#turns.get(id);
    this.#isUncertain = false;
    if (turn === undefined || turn.slotMs !== null) return;
    // It never waited, or not for the requests that this agent knows.
    turn.slotMs = Number.NaN;
    this.#slots = Math.max(this.#slots, this.#working());
  }

  /**
   * Ollama has finished with a request, or it was cancelled. Returns its wait; null if unknown.
   * @param wasPrompt  it was cancelled before its first content
   */
  end(id: string, nowMs: number, wasPrompt: boolean): Bounds | null {
    const turn = this.#turns.get(id);
    this.#turns.delete(id);
    if (wasPrompt && turn?.slotMs !== null) this.#isUncertain = true;
    if (this.#working() < this.#slots) {
      const next = [...this.#turns.values()].find(({ slotMs }) => slotMs === null);
      if (next !== undefined) next.slotMs = this.#isUncertain ? Number.NaN : nowMs;
    }
    const waitMs = (turn?.slotMs ?? Number.NaN) - (turn?.beginMs ?? 0);
    return Number.isNaN(waitMs) ? null : exactly(waitMs);
  }

  #working(): number {
    return [...this.#turns.values()].filter(({ slotMs }) => slotMs !== null).length;
  }
}
