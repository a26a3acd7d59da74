/**
 * The queue in front of Ollama: sends it as many requests of a model as it has slots for, and keeps
 * the others here, where callers take turns, a place is known, and leaving costs Ollama nothing.
 *
 * All requests of a box pass through one queue, whether they came through the tunnel or the local listener.
 */
import { withTag } from "../../protocol/inventory.ts";
import { QUEUED_BYTES_MAX, QUEUED_MAX } from "../../protocol/limits.ts";
import { FairQueue, type QueuePlace, type Waiting } from "./fair-queue.ts";
import type { Slots } from "./slots.ts";

export type QueuedRequest = Waiting & {
  model: string;
  /** It is this request's turn: called once, perhaps at once. */
  onTurn(): void;
  /** There is no room. Called instead of `onTurn`, with the place that the request had. */
  onFull(place: QueuePlace): void;
};

/** The evidence in an answer about its turn in Ollama. */
export type Shown = {
  /** The wait for a slot that Ollama reports, ms; null if it reports none. */
  waitedMs: number | null;
};

/** A request that Ollama has. */
type Sent = {
  model: string;
  sentMs: number;
  /** Requests of the model that Ollama already had. */
  beside: number;
  /** When the first of them ended, monotonic ms; infinite while all are open. */
  besideUntilMs: number;
  hasBegun: boolean;
};

type Line = { queue: FairQueue; sent: Set<Sent> };

/** Lines that are kept without a request, for their service times. */
const IDLE_LINES_MAX = 64;

export class RequestQueue {
  readonly slots: Slots;
  readonly #lines = new Map<string, Line>();
  readonly #waiting = new Map<string, QueuedRequest>();
  readonly #sent = new Map<string, Sent>();
  #bytes = 0;

  constructor(slots: Slots) {
    this.slots = slots;
  }

  /**
   * Takes a request, and sends it now if there is a slot.
   * @returns its place; null if it does not wait
   */
  enter(request: QueuedRequest, nowMs: number): QueuePlace | null {
    const model = withTag(request.model);
    const line = this.#lineOf(model);
    line.queue.add(request);
    this.#waiting.set(request.id, { ...request, model });
    this.#bytes += request.bytes;
    this.#serve(model, line, nowMs);
    while (this.#isFull) this.#refuseOne(nowMs);
    if (!this.#waiting.has(request.id)) return null;
    return line.queue.placeOfNewest(request, this.slots.of(model));
  }

  /** The first content of a streamed answer arrived. */
  begins(id: string, nowMs: number): void {
    const sent = this.#sent.get(id);
    if (sent === undefined || sent.hasBegun) return;
    this.#learn(sent, nowMs, nowMs);
    this.#serve(sent.model, this.#lineOf(sent.model), nowMs);
  }

  /**
   * Ollama has finished with a request, or its caller left. Only the first call counts.
   * @param shown  null if the request ended without an answer that took a slot
   */
  leave(id: string, nowMs: number, shown: Shown | null = null): void {
    const request = this.#waiting.get(id);
    if (request !== undefined) {
      this.#waiting.delete(id);
      this.#bytes -= request.bytes;
      this.#lineOf(request.model).queue.remove(id);
      return;
    }
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    const line = this.#lineOf(sent.model);
    this.#sent.delete(id);
    line.sent.delete(sent);
    if (shown !== null) {
      line.queue.served(nowMs - sent.sentMs);
      // An answer in one piece has begun by its end, at least.
      const isFirst = sent.besideUntilMs === Number.POSITIVE_INFINITY;
      const begunMs = shown.waitedMs === null ? null : sent.sentMs + shown.waitedMs;
      this.#learn(sent, begunMs ?? (isFirst ? nowMs : null), nowMs);
    }
    for (const other of line.sent) other.besideUntilMs = Math.min(other.besideUntilMs, nowMs);
    this.#serve(sent.model, line, nowMs);
    if (line.sent.size === 0) line.queue.idle();
  }

  /** Returns the place of each request that waits. */
  places(): Map<string, QueuePlace> {
    const places = new Map<string, QueuePlace>();
    for (const [model, { queue }] of this.#lines)
      for (const [id, place] of queue.places(this.slots.of(model))) places.set(id, place);
    return places;
  }

  get #isFull(): boolean {
    return this.#waiting.size > QUEUED_MAX || this.#bytes > QUEUED_BYTES_MAX;
  }

  #serve(model: string, { queue, sent }: Line, nowMs: number): void {
    while (sent.size < this.slots.admitted(model, nowMs)) {
      const request = this.#waiting.get(queue.next()?.id ?? "");
      if (request === undefined) return;
      this.#waiting.delete(request.id);
      this.#bytes -= request.bytes;
      const entry: Sent = {
        model,
        sentMs: nowMs,
        beside: sent.size,
        besideUntilMs: Number.POSITIVE_INFINITY,
        hasBegun: false,
      };
      sent.add(entry);
      this.#sent.set(request.id, entry);
      request.onTurn();
    }
  }

  /**
   * Learns the number of slots. Ollama serves in order of arrival, so a request that begins while all
   * the earlier ones are open has a slot beside theirs.
   * @param begunMs  when Ollama began the answer; null if the answer does not show it
   */
  #learn(sent: Sent, begunMs: number | null, nowMs: number): void {
    if (sent.hasBegun) return;
    sent.hasBegun = true;
    const { model, beside, besideUntilMs } = sent;
    const isProbe = beside >= this.slots.of(model);
    if (begunMs !== null && begunMs < besideUntilMs) this.slots.saw(model, beside + 1);
    else if (isProbe && begunMs !== null) this.slots.sawNone(model, nowMs);
    else if (isProbe) this.slots.sawNothing(model);
  }

  /** The longest lane of all models gives way. */
  #refuseOne(nowMs: number): void {
    let last: ReturnType<FairQueue["last"]> = null;
    for (const { queue } of this.#lines.values()) {
      const candidate = queue.last();
      if ((candidate?.length ?? 0) > (last?.length ?? 0)) last = candidate;
    }
    const request = this.#waiting.get(last?.request.id ?? "");
    if (request === undefined) return;
    const { queue } = this.#lineOf(request.model);
    const place = queue.placeOfNewest(request, this.slots.of(request.model));
    this.leave(request.id, nowMs);
    request.onFull(place);
  }

  #lineOf(model: string): Line {
    const line = this.#lines.get(model) ?? { queue: new FairQueue(), sent: new Set() };
    this.#lines.delete(model);
    this.#lines.set(model, line);
    for (const [oldest, { queue, sent }] of this.#lines)
      if (
        this.#lines.size > IDLE_LINES_MAX &&
        queue.size === 0 &&
        sent.size === 0 &&
        oldest !== model
      )
        this.#lines.delete(oldest);
    return line;
  }
}
