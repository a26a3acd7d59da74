/** The events of a pull as what is shown of it. Pure. */
import type { z } from "zod";
import type { PullDone, PullEvent } from "../../protocol/api/ollama.ts";

export type PullNews = z.infer<typeof PullEvent> | z.infer<typeof PullDone>;

type BoxPull = {
  status: string;
  completed: number;
  total: number | null;
  error: string | null;
  layers: Record<string, { total: number; completed: number }>;
};

export type Pull = {
  model: string;
  boxes: Record<string, BoxPull>;
  state: "pulling" | "success" | "error" | "stopped";
  /** Why nothing could begin, or why it broke. */
  error: string | null;
};

export const newPull = (model: string): Pull => ({
  model,
  boxes: {},
  state: "pulling",
  error: null,
});

export function afterPullEvent(pull: Pull, event: PullNews): Pull {
  if ("done" in event && event.done === true) {
    const { status, boxes } = event as z.infer<typeof PullDone>;
    const told = { ...pull.boxes };
    for (const { box, status: ended, error } of boxes)
      told[box] = {
        ...(told[box] ?? NOTHING),
        status: ended === "success" ? "done" : "failed",
        error,
      };
    return { ...pull, boxes: told, state: status };
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
    status: status ?? before.status,
    error: error ?? before.error,
    total: sizes.length === 0 ? null : sizes.reduce((sum, layer) => sum + layer.total, 0),
    completed: sizes.reduce((sum, layer) => sum + layer.completed, 0),
  };
  return { ...pull, boxes: { ...pull.boxes, [box]: next } };
}

const NOTHING: BoxPull = { status: "waiting", completed: 0, total: null, error: null, layers: {} };

/** How much of all boxes' bytes is there, 0 to 100; null until a box said how many there are. */
export function percentOf({ boxes, state }: Pull): number | null {
  if (state === "success") return 100;
  const known = Object.values(boxes).filter(({ total }) => total !== null);
  const total = known.reduce((sum, box) => sum + (box.total ?? 0), 0);
  return total === 0 ? null : (100 * known.reduce((sum, box) => sum + box.completed, 0)) / total;
}
