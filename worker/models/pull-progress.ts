/** The progress of one model's pulls to several boxes, summed from Ollama's lines. Pure. */
import * as z from "zod";
import type { PullDone, PullEvent, PullOverall } from "../../protocol/api/ollama.ts";
import { totalOf } from "../counting/total.ts";

/** A line of `/api/pull`. Lenient: a field of another type counts as absent. */
const PullLine = z.looseObject({
  status: z.string().optional().catch(undefined),
  digest: z.string().optional().catch(undefined),
  total: z.number().nonnegative().optional().catch(undefined),
  completed: z.number().nonnegative().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
});

/** Most layers that are counted per box. A model has a handful. */
const LAYERS_MAX = 1_000;

type Layer = { total: number; completed: number };
type State = {
  requestId: string;
  hasModel: boolean;
  error: string | null;
  layers: Map<string, Layer>;
};

export class PullProgress {
  readonly #states: ReadonlyMap<string, State>;

  constructor(pulls: readonly { box: string; requestId: string }[]) {
    this.#states = new Map(
      pulls.map(({ box, requestId }) => [
        box,
        { requestId, hasModel: false, error: null, layers: new Map() },
      ]),
    );
  }

  /** Takes a line of a box's Ollama, and returns its event. */
  line(box: string, text: string): PullEvent {
    const parsed = PullLine.safeParse(jsonOf(text));
    if (!parsed.success) return this.fail(box, "the box sent a line that is not pull progress");
    const { status, digest, total, completed, error } = parsed.data;
    const state = this.#state(box);
    if (error !== undefined) state.error ??= error;
    if (status === "success") state.hasModel = true;
    const isCounted =
      digest !== undefined &&
      total !== undefined &&
      (state.layers.has(digest) || state.layers.size < LAYERS_MAX);
    if (isCounted) state.layers.set(digest, { total, completed: Math.min(completed ?? 0, total) });
    return this.#event(box, parsed.data);
  }

  /** Marks a box's pull as failed. The first error is kept, since later ones follow from it. */
  fail(box: string, error: string): PullEvent {
    this.#state(box).error ??= error;
    return this.#event(box, { error });
  }

  /**
   * Takes the end of a box's answer.
   * @returns an event if the pull neither succeeded nor failed before
   */
  end(box: string): PullEvent | null {
    const { hasModel, error } = this.#state(box);
    return hasModel || error !== null
      ? null
      : this.fail(box, "the pull ended without reporting success");
  }

  done(): PullDone {
    const boxes = [...this.#states].map(([box, { requestId, error }]) => ({
      box,
      request_id: requestId,
      status: error === null ? ("success" as const) : ("error" as const),
      error,
    }));
    return {
      done: true,
      status: boxes.every(({ error }) => error === null) ? "success" : "error",
      boxes,
    };
  }

  #event(box: string, line: object): PullEvent {
    const ours = { box, request_id: this.#state(box).requestId };
    // Assigned twice: first for their place, last so that a line cannot override them.
    return Object.assign(
      {},
      ours,
      line,
      ours,
      this.#states.size > 1 ? { overall: this.#overall() } : {},
    );
  }

  #overall(): PullOverall {
    const states = [...this.#states.values()];
    const layers = states.flatMap((state) => [...state.layers.values()]);
    return {
      boxes: states.length,
      finished: states.filter(({ hasModel, error }) => hasModel && error === null).length,
      failed: states.filter(({ error }) => error !== null).length,
      total_bytes: layers.length === 0 ? null : totalOf(layers.map(({ total }) => total)),
      completed_bytes: totalOf(layers.map(({ completed }) => completed)),
    };
  }

  #state(box: string): State {
    const state = this.#states.get(box);
    if (state === undefined) throw new Error(`box ${box} is not part of this pull`);
    return state;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
