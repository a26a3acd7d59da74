/**
 * Faults on demand: ways in which an Ollama fails, switched on and off while it runs, by the
 * function or by `POST /_simulated/faults`. They affect only the inference routes, never the
 * control routes.
 */
import * as z from "zod";

const scope = {
  /** Affects only requests with this path; every inference path by default. */
  path: z.string().startsWith("/").optional(),
  /** Affects only requests for this model, spelled as the caller spells it. */
  model: z.string().optional(),
  /** Number of requests to affect; every request until the faults are replaced, by default. */
  times: z.int().positive().optional(),
};
const afterChunks = z.int().nonnegative();

export const Fault = z.discriminatedUnion("kind", [
  /** The first token takes this much longer. The time counts as prefill. */
  z.object({ kind: z.literal("slow_first_token"), ms: z.number().nonnegative(), ...scope }),
  /** The connection is cut after this many chunks. */
  z.object({ kind: z.literal("drop"), after_chunks: afterChunks, ...scope }),
  /** One chunk after this many others is not JSON, and then the stream continues. */
  z.object({ kind: z.literal("malformed"), after_chunks: afterChunks, ...scope }),
  /**
   * Ollama fails after this many chunks: with an error line under status 200, or with a plain 500
   * if nothing was sent.
   */
  z.object({
    kind: z.literal("error_line"),
    after_chunks: afterChunks,
    message: z.string().optional(),
    ...scope,
  }),
  /** Answers 503 because too many requests wait for a load. */
  z.object({ kind: z.literal("busy"), ...scope }),
  /** Never sends a byte. */
  z.object({ kind: z.literal("hang"), ...scope }),
  /** Sends every token but no last line: the stream just ends. */
  z.object({ kind: z.literal("no_terminator"), ...scope }),
]);
export type Fault = z.infer<typeof Fault>;

export class FaultPanel {
  #faults: { fault: Fault; left: number }[] = [];

  /** Replaces every fault. An empty list removes them. */
  set(faults: Fault[]): void {
    this.#faults = faults.map((fault) => ({
      fault,
      left: fault.times ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** Returns the first fault that matches this request, if any, and counts it. */
  take(path: string, model: string): Fault | null {
    const hit = this.#faults.find(
      ({ fault, left }) =>
        left > 0 && (fault.path ?? path) === path && (fault.model ?? model) === model,
    );
    if (hit === undefined) return null;
    hit.left--;
    return hit.fault;
  }
}
