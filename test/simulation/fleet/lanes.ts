/**
 * Watches the queues of the agents: no lane starves. While a request is the first of its lane, the other
 * lanes get a bounded number of turns.
 */
import type { QueuePlace } from "../../../agent/queue/fair-queue.ts";
import { type QueuedRequest, RequestQueue } from "../../../agent/queue/request-queue.ts";
import type { Slots } from "../../../agent/queue/slots.ts";
import { broken } from "../broken.ts";

/**
 * Turns that another lane may have while the first request of a lane waits: one that it may have had to
 * its credit, and one because it was there first.
 */
const TURNS_MAX = 2;

type Waiting = { id: string; lane: string; turnsOfOthers: Map<string, number> };

/** The requests that wait on one box for one model, in their order of arrival. */
export class QueueWatch {
  readonly #waiting = new Map<string, Waiting[]>();
  /** Requests that had to wait. */
  waited = 0;
  readonly #shared = new Set<string>();

  entered(line: string, id: string, lane: string): void {
    const waiting = this.#waiting.get(line) ?? [];
    waiting.push({ id, lane, turnsOfOthers: new Map() });
    this.#waiting.set(line, waiting);
    if (waiting.some((one) => one.lane !== lane)) this.#shared.add(line);
  }

  /** The number of queues in which several lanes waited at once. */
  get sharedLines(): number {
    return this.#shared.size;
  }

  waits(): void {
    this.waited++;
  }

  /** @throws {Broken} if it was the turn of another lane for long */
  taken(line: string, id: string): void {
    const waiting = this.#waiting.get(line) ?? [];
    const taken = waiting.find((one) => one.id === id);
    if (taken === undefined) return broken(`${id} got a turn without having waited`);
    const first = waiting.find(({ lane }) => lane === taken.lane);
    if (first !== taken) broken(`${id} overtook ${first?.id} of its own lane on ${line}`);
    this.left(line, id);
    const seen = new Set<string>();
    for (const one of waiting) {
      if (one === taken || seen.has(one.lane) || one.lane === taken.lane) continue;
      seen.add(one.lane); // the first of its lane
      const turns = (one.turnsOfOthers.get(taken.lane) ?? 0) + 1;
      one.turnsOfOthers.set(taken.lane, turns);
      if (turns > TURNS_MAX)
        broken(`${one.id} waits while ${taken.lane} got ${turns} turns before it on ${line}`);
    }
  }

  left(line: string, id: string): void {
    const waiting = this.#waiting.get(line) ?? [];
    this.#waiting.set(
      line,
      waiting.filter((one) => one.id !== id),
    );
  }

  /** The agent is gone, and its queue with it. */
  forget(box: string): void {
    for (const line of this.#waiting.keys())
      if (line.startsWith(`${box} `)) this.#waiting.delete(line);
  }
}

/** The product's queue, observed. */
export class ObservedQueue extends RequestQueue {
  readonly #box: string;
  readonly #watch: QueueWatch;
  readonly #lines = new Map<string, string>();

  constructor(slots: Slots, box: string, watch: QueueWatch) {
    super(slots);
    this.#box = box;
    this.#watch = watch;
    watch.forget(box);
  }

  override enter(request: QueuedRequest, nowMs: number): QueuePlace | null {
    const { id, lane, model } = request;
    const line = `${this.#box} ${model}`;
    this.#lines.set(id, line);
    this.#watch.entered(line, id, lane);
    const onTurn = () => {
      this.#lines.delete(id);
      this.#watch.taken(line, id);
      request.onTurn();
    };
    const place = super.enter({ ...request, onTurn }, nowMs);
    if (place !== null) this.#watch.waits();
    return place;
  }

  override leave(...[id, ...rest]: Parameters<RequestQueue["leave"]>): void {
    const line = this.#lines.get(id);
    if (line !== undefined) this.#watch.left(line, id);
    this.#lines.delete(id);
    super.leave(id, ...rest);
  }
}
