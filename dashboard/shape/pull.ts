/** The state of a pull, built from its events. Pure. */
import type * as z from "zod";
import type { PullDone, PullEvent } from "../../protocol/api/ollama.ts";

export type PullUpdate = z.infer<typeof PullEvent> | z.infer<typeof PullDone>;

type BoxPull = {
  status: string;
  completed: number;
  total: number | null;
  error: string | null;
  hasEnded: boolean;
  layers: Record<string, { total: number; completed: number }>;
};

export type Pull = {
  model: string;
  boxes: Record<string, BoxPull>;
  state: "pulling" | "success" | "error" | "stopped";
};

export const newPull = (model: string, boxes: readonly string[]): Pull => ({
  model,
  boxes: Object.fromEntries(boxes.map((name) => [name, NOTHING])),
  state: "pulling",
});

export function afterPullEvent(pull: Pull, event: PullUpdate): Pull {
  if ("done" in event && event.done === true) {
    const { boxes } = event as z.infer<typeof PullDone>;
    return boxes.reduce((after, { box, error }) => afterEnd(after, box, error), pull);
  }
  const { box, status, digest, total, completed, error } = event as z.infer<typeof PullEvent>;
  const before = pull.boxes[box] ?? NOTHING;
  const layers =
    digest === undefined || total === undefined
      ? before.layers
      : { ...before.layers, [digest]: { total, completed: completed ?? 0 } };
  const sizes = Object.values(layers);
  const next: BoxPull = {
    layers,
    hasEnded: before.hasEnded,
    status: status ?? before.status,
    error: error ?? before.error,
    total: sizes.length === 0 ? null : sizes.reduce((sum, layer) => sum + layer.total, 0),
    completed: sizes.reduce((sum, layer) => sum + layer.completed, 0),
  };
  return { ...pull, boxes: { ...pull.boxes, [box]: next } };
}

/** @param error  why the box does not have the model now; null if it has */
export function afterEnd(pull: Pull, name: string, error: string | null): Pull {
  const before = pull.boxes[name] ?? NOTHING;
  const status = error === null ? "done" : "failed";
  const boxes = { ...pull.boxes, [name]: { ...before, status, error, hasEnded: true } };
  const all = Object.values(boxes);
  if (pull.state !== "pulling" || all.some(({ hasEnded }) => !hasEnded)) return { ...pull, boxes };
  return { ...pull, boxes, state: all.some((box) => box.error !== null) ? "error" : "success" };
}

const NOTHING: BoxPull = {
  status: "waiting",
  completed: 0,
  total: null,
  error: null,
  hasEnded: false,
  layers: {},
};

/**
 * Returns the progress over all boxes, 0 to 100. Null until a box reports the size of the download.
 */
export function percentOf({ boxes, state }: Pull): number | null {
  if (state === "success") return 100;
  const known = Object.values(boxes).filter(({ total }) => total !== null);
  const total = known.reduce((sum, box) => sum + (box.total ?? 0), 0);
  return total === 0 ? null : (100 * known.reduce((sum, box) => sum + box.completed, 0)) / total;
}
