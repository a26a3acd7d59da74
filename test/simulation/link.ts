/**
 * A simulated WebSocket: messages arrive late and in order, unless the link is cut or swallows
 * them.
 */
import { OPEN, type RelaySocket } from "../../worker/box/sockets.ts";
import type { Chance } from "./chance.ts";
import type { Schedule } from "./schedule.ts";

export type Message = Uint8Array | string;

const CLOSING = 2;

/** One end of a link. Its owner sets the handlers of messages and of the close. */
export class End implements RelaySocket {
  onMessage: (message: Message) => void = () => {};
  /** Called once: the other end closed, or answered the close of this one. */
  onClose: (code: number) => void = () => {};
  /** Takes messages to send. */
  isOpen = true;
  /**
   * Messages that the other end sent before it noticed the close still arrive, as on the platform.
   */
  #isReceiving = true;
  readonly #link: Link;
  readonly #side: 0 | 1;

  constructor(link: Link, side: 0 | 1) {
    this.#link = link;
    this.#side = side;
  }

  get readyState(): number {
    return this.isOpen ? OPEN : CLOSING;
  }

  send(message: Message): void {
    if (this.isOpen)
      this.#link.carry(this.#side, (far) => far.#isReceiving && far.onMessage(message));
  }

  close(code: number): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#link.carry(this.#side, (far) => far.closed(code));
  }

  /** Ends the program at this end. The other end notices it as a reset. */
  reset(): void {
    this.close(1006);
    this.onMessage = () => {};
    this.onClose = () => {};
  }

  /** The other end closed, or the link is lost. */
  closed(code: number): void {
    if (!this.#isReceiving) return;
    this.close(code);
    this.#isReceiving = false;
    this.onClose(code);
  }
}

export class Link {
  readonly near: End;
  readonly far: End;
  /** Packets vanish in both directions, without a reset. */
  swallows = false;
  /** Messages arrive no sooner, as on a path that loses packets and repeats them. */
  stalledUntilMs = 0;
  readonly #schedule: Schedule;
  readonly #chance: Chance;
  readonly #latencyMs: number;
  readonly #arrivedMs: [number, number] = [0, 0];
  #isCut = false;

  constructor(schedule: Schedule, chance: Chance, latencyMs: number) {
    this.#schedule = schedule;
    this.#chance = chance;
    this.#latencyMs = latencyMs;
    this.near = new End(this, 0);
    this.far = new End(this, 1);
  }

  carry(from: 0 | 1, deliver: (to: End) => void): void {
    const late = this.#chance.between(0, this.#latencyMs) * (this.#chance.isLikely(0.02) ? 10 : 1);
    const atMs = Math.max(this.#arrivedMs[from], this.#schedule.nowMs + late, this.stalledUntilMs);
    this.#arrivedMs[from] = atMs;
    this.#schedule.after(atMs - this.#schedule.nowMs, () => {
      const to = from === 0 ? this.far : this.near;
      if (!this.#isCut && !this.swallows) deliver(to);
    });
  }

  /**
   * Loses everything on its way, and each end notices a little later. The far end, the Box's, may
   * notice when there is a new link already. The near one may not: a stream whose edge comes back
   * half a second after the Box noticed is given up.
   */
  cut(): void {
    this.#isCut = true;
    this.#schedule.after(this.#chance.between(0, 30), () => this.near.closed(1006));
    this.#schedule.after(this.#chance.between(0, this.#chance.isLikely(0.2) ? 1_500 : 30), () =>
      this.far.closed(1006),
    );
  }
}
