/** The network of a world: the links of the tunnel and the calls, and their failures. */
import type { Chance } from "./chance.ts";
import type { Chronicle } from "./chronicle.ts";
import { Link } from "./link.ts";
import type { Schedule } from "./schedule.ts";

const TUNNEL_LATENCY_MS = 15;
const CALL_LATENCY_MS = 3;

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
   * Returns a new link between a call and the Box; null if the Box refuses it.
   * @param take  passes the link to the Box
   */
  join(id: string, take: (link: Link) => boolean): Link | null {
    const link = new Link(this.#schedule, this.#chance, CALL_LATENCY_MS);
    if (!take(link)) return null;
    this.#calls.set(id, link);
    return link;
  }

  cutTunnel(): void {
    this.#tunnel?.cut();
  }

  cutCaller(): void {
    this.#chance.pick([...this.#calls.values()])?.cut();
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
