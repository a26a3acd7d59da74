/** The network of a world: the links of the tunnel and the calls, and their failures. */
import type { ModelLoad } from "../../worker/box/load.ts";
import type { FailureReason } from "../../worker/errors.ts";
import type { LimitReached } from "../../worker/keys/limits.ts";
import type { Chance } from "./chance.ts";
import type { Chronicle } from "./chronicle.ts";
import { type End, Link } from "./link.ts";
import type { Schedule } from "./schedule.ts";

const TUNNEL_LATENCY_MS = 15;
const CALL_LATENCY_MS = 3;

/**
 * The Box's answer to a stream. `isRelayed`: the agent has the first frames. `load`: that of the model;
 * null without one.
 */
export type AttachAnswer =
  | { kind: "taken"; isRelayed: boolean; load: ModelLoad | null }
  | { kind: "refused"; reason: FailureReason["reason"] }
  | { kind: "busier"; load: ModelLoad }
  /** The key of the call may do no more now; `reached` is null if its count did not answer. */
  | { kind: "limited"; reached: LimitReached | null };

/** Has the Box decide about a stream at the far end of a new link. */
export type Take = (far: End, answer: (answer: AttachAnswer) => void) => void;

export class Network {
  readonly #schedule: Schedule;
  readonly #chance: Chance;
  readonly #chronicle: Chronicle;
  #tunnel: Link | null = null;
  /** By request id. */
  readonly #calls = new Map<string, Link>();
  #isDown = false;

  constructor(schedule: Schedule, chance: Chance, chronicle: Chronicle) {
    this.#schedule = schedule;
    this.#chance = chance;
    this.#chronicle = chronicle;
  }

  /** Returns a new link for the tunnel; null while there is no way. */
  dial(): Link | null {
    if (this.#isDown) return null;
    this.#tunnel = new Link(this.#schedule, this.#chance, TUNNEL_LATENCY_MS);
    return this.#tunnel;
  }

  /**
   * Returns the call's end of a new link to the Box. The request for it, and the answer, travel on the
   * link itself, and are lost with it.
   */
  join(id: string, take: Take, onAnswer: (answer: AttachAnswer) => void): End {
    const link = new Link(this.#schedule, this.#chance, CALL_LATENCY_MS);
    this.#calls.set(id, link);
    link.carry(0, (far) => take(far, (answer) => link.carry(1, () => onAnswer(answer))));
    return link.near;
  }

  cutTunnel(): void {
    this.#tunnel?.cut();
  }

  cutCaller(): void {
    this.#chance.pick([...this.#calls.values()])?.cut();
  }

  /** Cuts the link of the newest call, whose first frames may be on their way. */
  cutNewestCaller(): void {
    [...this.#calls.values()].at(-1)?.cut();
  }

  /** Makes the tunnel half-open from now on. */
  swallow(): void {
    if (this.#tunnel !== null) this.#tunnel.swallows = true;
    this.#chronicle.swallowsMs.push(this.#schedule.nowMs);
  }

  /** Delays everything in the tunnel. */
  stall(): void {
    if (this.#tunnel !== null)
      this.#tunnel.stalledUntilMs = this.#schedule.nowMs + this.#chance.between(100, 6_000);
    this.#chronicle.swallowsMs.push(this.#schedule.nowMs);
  }

  /** Refuses new tunnels for a while. */
  goDown(fromMs: number, toMs: number): void {
    this.#isDown = true;
    this.#schedule.after(this.#chance.between(fromMs, toMs), () => {
      this.#isDown = false;
    });
  }

  mend(): void {
    this.#isDown = false;
    if (this.#tunnel?.swallows) this.#tunnel.cut();
  }
}
