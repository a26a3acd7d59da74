/**
 * A fair queue of the requests of one model. Pure: the caller passes in monotonic time.
 *
 * Ollama serves in order of arrival, so one caller with 200 requests delays everybody. Here each
 * caller has a lane, and the lanes take turns: every request costs its lane a turn, and the lane that
 * has used the fewest is next. A new lane begins where the others are, so it neither waits for their
 * past nor is paid for its own. (This is start-time fair queueing, with requests of equal cost.)
 *
 * A lane of low priority pays more for a turn, and one of high priority less. So it is served less often
 * or more often, but every lane has its turn.
 */
import type { Priority } from "../../protocol/priority.ts";

/** The cost of a request to its lane, in turns. Sums of these fractions are exact. */
const COST: Record<Priority, number> = { high: 1 / 4, normal: 1, low: 8 };

/** Lanes that are remembered, with and without requests. */
const LANES_MAX = 10_000;

/** The weight of the newest service time in the mean. */
const NEWEST = 0.2;

export type Waiting = {
  id: string;
  /** The caller, who shares the turns of a lane with nobody. */
  lane: string;
  priority: Priority;
  /** Bytes of the body, which wait too. */
  bytes: number;
};

export type QueuePlace = {
  /** 1 for the request that is next. */
  position: number;
  /** Estimated time until Ollama takes the request, ms; null before any request has ended. */
  etaMs: number | null;
};

type Lane = {
  waiting: Waiting[];
  /** Turns used, on the clock of the queue. */
  turns: number;
};

export class FairQueue {
  readonly #lanes = new Map<string, Lane>();
  /** The clock of the queue: the turns of the lane that was served last. */
  #turns = 0;
  #size = 0;
  /** Mean time that a request is with Ollama, ms. */
  #serviceMs: number | null = null;

  get size(): number {
    return this.#size;
  }

  add(request: Waiting): void {
    const key = laneOf(request);
    const lane = this.#lanes.get(key) ?? { waiting: [], turns: 0 };
    if (lane.waiting.length === 0)
      lane.turns = Math.max(lane.turns, this.#turns + extraCostOf(request));
    lane.waiting.push(request);
    this.#lanes.set(key, lane);
    this.#size++;
  }

  /** Takes the request whose turn it is. */
  next(): Waiting | null {
    const lane = firstOf(this.#lanes.values());
    const request = lane?.waiting.shift();
    if (lane === null || request === undefined) return null;
    this.#turns = Math.max(this.#turns, lane.turns);
    lane.turns += COST[request.priority];
    this.#size--;
    this.#forgetPaid();
    return request;
  }

  /** Removes a request whose caller left, if it waits here. */
  remove(id: string): void {
    for (const { waiting } of this.#lanes.values()) {
      const index = waiting.findIndex((request) => request.id === id);
      if (index < 0) continue;
      waiting.splice(index, 1);
      this.#size--;
    }
  }

  /** Ollama has nothing left to do: what the lanes have used cost nobody anything. */
  idle(): void {
    if (this.#size === 0) this.#lanes.clear();
  }

  /** Returns the newest request of the longest lane: who gives way when there is no room. */
  last(): { request: Waiting; length: number } | null {
    let longest: Lane | null = null;
    for (const lane of this.#lanes.values())
      if (lane.waiting.length > (longest?.waiting.length ?? 0)) longest = lane;
    const request = longest?.waiting.at(-1);
    return request === undefined ? null : { request, length: longest?.waiting.length ?? 0 };
  }

  /** A request was with Ollama for this long. */
  served(ms: number): void {
    this.#serviceMs =
      this.#serviceMs === null ? ms : this.#serviceMs + NEWEST * (ms - this.#serviceMs);
  }

  /**
   * Returns the place of each request, in the order in which they would be served if no more came.
   * @param slots  requests that are served at once
   */
  places(slots: number): Map<string, QueuePlace> {
    const starts: { id: string; start: number }[] = [];
    for (const { waiting, turns } of this.#lanes.values())
      for (const [index, { id, priority }] of waiting.entries())
        starts.push({ id, start: turns + index * COST[priority] });
    // A stable sort: of requests that start together, the lane that was there first goes first.
    starts.sort((a, b) => a.start - b.start);
    return new Map(starts.map(({ id }, index) => [id, this.#placeAt(index + 1, slots)]));
  }

  /** Returns the place of a request that was just added. Reads the lanes, not their requests. */
  placeOfNewest(request: Waiting, slots: number): QueuePlace {
    const key = laneOf(request);
    const own = this.#lanes.get(key);
    const ownBefore = (own?.waiting.length ?? 1) - 1;
    const start = (own?.turns ?? 0) + ownBefore * COST[request.priority];
    let position = ownBefore + 1;
    let isFirst = true;
    for (const [other, { waiting, turns }] of this.#lanes) {
      const [head] = waiting;
      if (other === key) isFirst = false;
      else if (head !== undefined) {
        const steps = (start - turns) / COST[head.priority];
        const before = isFirst ? Math.floor(steps) + 1 : Math.ceil(steps);
        position += Math.min(waiting.length, Math.max(0, before));
      }
    }
    return this.#placeAt(position, slots);
  }

  #placeAt(position: number, slots: number): QueuePlace {
    const serviceMs = this.#serviceMs;
    const etaMs = serviceMs === null ? null : Math.round((position * serviceMs) / slots);
    return { position, etaMs };
  }

  /**
   * Forgets the lanes without requests that owe no turn, and the oldest ones if there are too many.
   */
  #forgetPaid(): void {
    for (const [key, { waiting, turns }] of this.#lanes)
      if (waiting.length === 0 && (turns <= this.#turns || this.#lanes.size > LANES_MAX))
        this.#lanes.delete(key);
  }
}

/** A lane of low priority does not begin where the others are: its first request waits for them too. */
const extraCostOf = ({ priority }: Waiting): number => Math.max(0, COST[priority] - COST.normal);

/** A caller's urgent requests do not wait behind its own patient ones. */
const laneOf = ({ lane, priority }: Waiting): string => `${priority} ${lane}`;

/**
 * The lane with requests that has used the fewest turns; of several, the one that was there first.
 */
function firstOf(lanes: Iterable<Lane>): Lane | null {
  let first: Lane | null = null;
  for (const lane of lanes)
    if (lane.waiting.length > 0 && (first === null || lane.turns < first.turns)) first = lane;
  return first;
}
