/** A simulated WebSocket: messages arrive late and in order, unless the link is cut or swallows them. */
import type { Chance } from "./chance.ts";
import type { Schedule } from "./schedule.ts";

export type Message = Uint8Array | string;

/** One end of a link. Whoever holds it sets what happens on messages and on the close. */
export class End {
  onMessage: (message: Message) => void = () => {};
  /** Once, and not for a close of one's own. */
  onClose: (code: number) => void = () => {};
  isOpen = true;
  readonly #link: Link;
  readonly #side: 0 | 1;

  constructor(link: Link, side: 0 | 1) {
    this.#link = link;
    this.#side = side;
  }

  send(message: Message): void {
    if (this.isOpen) this.#link.carry(this.#side, (far) => far.onMessage(message));
  }

  close(code: number): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#link.carry(this.#side, (far) => {
      far.isOpen = false;
      far.onClose(code);
    });
  }

  /** The program at this end is gone; the other end learns it as after a reset. */
  reset(): void {
    this.close(1006);
    this.onMessage = () => {};
    this.onClose = () => {};
  }
}

export class Link {
  readonly near: End;
  readonly far: End;
  /** Packets vanish, in both directions, and nobody is told. */
  swallows = false;
  /** What is sent arrives no sooner, as where packets are lost and sent again. */
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
      if (!this.#isCut && !this.swallows && to.isOpen) deliver(to);
    });
  }

  /** What is on its way is lost; each end learns of it by and by. */
  cut(): void {
    this.#isCut = true;
    for (const end of [this.near, this.far]) {
      this.#schedule.after(this.#chance.between(0, 30), () => {
        if (!end.isOpen) return;
        end.isOpen = false;
        end.onClose(1006);
      });
    }
  }
}
