/**
 * Faults on demand: what can be wrong with an Ollama, switched on and off while it runs, by the
 * function or by `POST /_simulated/faults`. They touch the answers of inference routes only, never
 * the control routes.
 */
import { z } from "zod";

const scope = {
  /** Only requests with this path; absent: every inference path. */
  path: z.string().startsWith("/").optional(),
  /** Only requests for this model, as the caller wrote it. */
  model: z.string().optional(),
  /** How many requests it hits before it is over; absent: until it is replaced. */
  times: z.int().positive().optional(),
};
const afterChunks = z.int().nonnegative();

export const Fault = z.discriminatedUnion("kind", [
  /** The first token takes this much longer; counted as prefill. */
  z.object({ kind: z.literal("slow_first_token"), ms: z.number().nonnegative(), ...scope }),
  /** The connection is cut after so many chunks. */
  z.object({ kind: z.literal("drop"), after_chunks: afterChunks, ...scope }),
  /** A chunk that is not JSON comes after so many chunks; then the stream goes on. */
  z.object({ kind: z.literal("malformed"), after_chunks: afterChunks, ...scope }),
  /** Ollama fails after so many chunks: an error line under 200, or a plain 500 when nothing was sent. */
  z.object({
    kind: z.literal("error_line"),
    after_chunks: afterChunks,
    message: z.string().optional(),
    ...scope,
  }),
  /** 503: too many requests wait for a load. */
  z.object({ kind: z.literal("busy"), ...scope }),
  /** Never a byte. */
  z.object({ kind: z.literal("hang"), ...scope }),
  /** Every token, but no last line: the stream just ends. */
  z.object({ kind: z.literal("no_terminator"), ...scope }),
]);
export type Fault = z.infer<typeof Fault>;

export class FaultPanel {
  #faults: { fault: Fault; left: number }[] = [];

  /** Replaces every fault. An empty list ends them. */
  set(faults: Fault[]): void {
    this.#faults = faults.map((fault) => ({
      fault,
      left: fault.times ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** The fault that hits this request, if any: the first that matches. Counts it. */
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
