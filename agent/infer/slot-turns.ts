/**
 * The turns of the requests at the parallel slots of one model: how long each waited. Pure.
 *
 * Ollama hands out the slots in order of arrival and reports none of it.
 */
import type { Slots } from "../queue/slots.ts";
import { type Bounds, exactly } from "./bounds.ts";

/** Ids at the front of the queue that may be left behind. */
const QUEUE_TRIMMED_FROM = 1_000;

/** `slotMs` is null while the request waits, and not a number if its wait is unknown. */
type Turn = { beginMs: number; slotMs: number | null };

export class SlotTurns {
  readonly #turns = new Map<string, Turn>();
  /** Ids of the requests that wait, in order of arrival, among some that no longer do. */
  #queue: string[] = [];
  #queueFrom = 0;
  readonly #model: string;
  readonly #slots: Slots;
  /** Requests with a slot. */
  #working = 0;
  /** A slot may still evaluate a prompt whose caller left: Ollama's runner stops only after it. */
  #isUncertain = false;

  constructor(model: string, slots: Slots) {
    this.#model = model;
    this.#slots = slots;
  }

  get size(): number {
    return this.#turns.size;
  }

  begin(id: string, nowMs: number): void {
    const isFree = this.#hasFreeSlot;
    const slotMs = !isFree ? null : this.#isUncertain ? Number.NaN : nowMs;
    if (isFree) this.#working++;
    else this.#queue.push(id);
    this.#turns.set(id, { beginMs: nowMs, slotMs });
  }

  /** A request has its first content, so it has a slot. */
  content(id: string): void {
    const turn = this.#turns.get(id);
    this.#isUncertain = false;
    if (turn === undefined || turn.slotMs !== null) return;
    // It never waited, or not for the requests that this agent knows.
    turn.slotMs = Number.NaN;
    this.#working++;
    this.#slots.saw(this.#model, this.#working);
  }

  /**
   * Ollama has finished with a request, or it was cancelled. Returns its wait; null if unknown.
   * @param wasPrompt  it was cancelled before its first content
   */
  end(id: string, nowMs: number, wasPrompt: boolean): Bounds | null {
    const turn = this.#turns.get(id);
    this.#turns.delete(id);
    if (turn !== undefined && turn.slotMs !== null) {
      this.#working--;
      if (wasPrompt) this.#isUncertain = true;
    }
    if (this.#hasFreeSlot) this.#giveSlot(nowMs);
    const waitMs = (turn?.slotMs ?? Number.NaN) - (turn?.beginMs ?? 0);
    return Number.isNaN(waitMs) ? null : exactly(waitMs);
  }

  get #hasFreeSlot(): boolean {
    return this.#working < this.#slots.of(this.#model);
  }

  /** Gives a free slot to the request that has waited for longest. */
  #giveSlot(nowMs: number): void {
    while (this.#queueFrom < this.#queue.length) {
      const turn = this.#turns.get(this.#queue[this.#queueFrom++] ?? "");
      if (turn?.slotMs !== null) continue;
      turn.slotMs = this.#isUncertain ? Number.NaN : nowMs;
      this.#working++;
      break;
    }
    if (this.#queueFrom < QUEUE_TRIMMED_FROM && this.#queueFrom < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#queueFrom);
    this.#queueFrom = 0;
  }
}
