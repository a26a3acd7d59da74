/** What was done to a world, and when its agent could be reached: what excuses a word that came late. */
import { NOTICE_MS } from "../../protocol/limits.ts";

/** How often a world is looked at. */
export const SAMPLE_MS = 250;
/** What was sent so shortly before a cut, or before it was noticed, may be lost. */
const IN_FLIGHT_MS = 250;
/** An agent that is back gives up what it is not asked for within this. */
const UNWANTED_MS = 8_000;

export class Chronicle {
  /** How many there were until now. */
  faults = 0;
  /** When the agent was killed; when its link swallowed or stalled; when a link was cut. */
  readonly killsMs: number[] = [];
  readonly swallowsMs: number[] = [];
  readonly cutsMs: number[] = [];
  /** Whether the tunnel was up, and how much had happened until then. */
  readonly #samples: { atMs: number; isUp: boolean; faults: number }[] = [];

  sample(atMs: number, isUp: boolean): void {
    this.#samples.push({ atMs, isUp, faults: this.faults });
  }

  /** When, after that, the agent could be told for some time. */
  reachableMs(fromMs: number, forMs: number): number {
    const some = Math.ceil(forMs / SAMPLE_MS) + 1;
    const at = this.#samples.findIndex(
      ({ atMs, faults }, index) =>
        atMs >= fromMs &&
        this.#samples
          .slice(index, index + some)
          .every((later) => later.isUp && later.faults === faults),
    );
    return this.#samples[at]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** When a stream ends that nobody comes back for, if its last word went into a link that swallowed it. */
  swallowedMs(fromMs: number): number {
    const near = (ms: number) => (atMs: number) => Math.abs(atMs - fromMs) < ms;
    const isLost =
      this.swallowsMs.some(near(NOTICE_MS + 1_000)) || this.cutsMs.some(near(IN_FLIGHT_MS));
    return isLost ? this.reachableMs(fromMs + NOTICE_MS, UNWANTED_MS) + UNWANTED_MS : 0;
  }
}
