/** The growth of a process's memory. */
import type { Child } from "../bench/children.ts";

/** Growth beyond this is more than the noise of an allocator. */
export const GROWTH_MAX_MB = 64;

/** The growth of a process's resident memory above its first value. */
export class Growth {
  readonly #child: Child;
  readonly #fromMb: number;
  #maxMb: number;
  readonly #timer: NodeJS.Timeout;

  constructor(child: Child) {
    this.#child = child;
    this.#fromMb = child.residentMb();
    this.#maxMb = this.#fromMb;
    this.#timer = setInterval(() => this.#measure(), 20);
  }

  stop(): { fromMb: number; mb: number } {
    clearInterval(this.#timer);
    this.#measure();
    return { fromMb: Math.round(this.#fromMb), mb: Math.round(this.#maxMb - this.#fromMb) };
  }

  #measure(): void {
    this.#maxMb = Math.max(this.#maxMb, this.#child.residentMb());
  }
}
