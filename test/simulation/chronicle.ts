/**
 * The faults of a world, and the times at which its agent could be reached: they excuse a late
 * cancellation.
 */
import { NOTICE_MS } from "../../protocol/limits.ts";

/** Interval of the samples. */
export const SAMPLE_MS = 250;
/** Messages sent this shortly before a cut, or before it was noticed, may be lost. */
const IN_FLIGHT_MS = 250;
/** An agent that is back gives up streams that are not resumed within this. */
const UNWANTED_MS = 8_000;

export class Chronicle {
  /** Number of faults until now. */
  faults = 0;
  /** When the agent was killed; when its link swallowed or stalled; when a link was cut. */
  readonly killsMs: number[] = [];
  readonly swallowsMs: number[] = [];
  readonly cutsMs: number[] = [];
  /** At each sample: whether the tunnel was up, and how many faults had happened. */
  readonly #samples: { atMs: number; isUp: boolean; faults: number }[] = [];

  sample(atMs: number, isUp: boolean): void {
    this.#samples.push({ atMs, isUp, faults: this.faults });
  }

  /** Returns when the agent was first reachable for `forMs` without a fault, from `fromMs` on. */
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

  /**
   * Returns when an unwanted stream ends whose ABORT may have been lost on its way; 0 if it was
   * not.
   */
  swallowedMs(fromMs: number): number {
    const near = (ms: number) => (atMs: number) => Math.abs(atMs - fromMs) < ms;
    const isLost =
      this.swallowsMs.some(near(NOTICE_MS + 1_000)) || this.cutsMs.some(near(IN_FLIGHT_MS));
    return isLost ? this.reachableMs(fromMs + NOTICE_MS, UNWANTED_MS) + UNWANTED_MS : 0;
  }
}
