/**
 * Ranks boxes by their health, before any estimate of their times. Pure.
 *
 * A box that is not well still serves if no better one has the model: a slow answer is better than none.
 * It returns by itself, with the first readings that show it well.
 */
import { withTag } from "../../../protocol/inventory.ts";
import type { FleetBox } from "../../aggregator/fleet-box.ts";

/** Any of these is worse than all that follow it. */
const RANKS = { unreachable: 4, withoutGpu: 2, away: 1 } as const;

/**
 * Returns the rank of a box for a call; 0 if it is well.
 * @param model  with its tag; null if the call needs none
 */
export const unwellness = (box: FleetBox, model: string | null): number =>
  (box.is_reachable ? 0 : RANKS.unreachable) +
  (model === null || !lacksGpu(box, model) ? 0 : RANKS.withoutGpu) +
  (box.state === "up" ? 0 : RANKS.away);

/**
 * Returns whether a model that needs a GPU has to do without one: a GPU is lost, its driver has failed,
 * or Ollama did not find it. Models that only embed do without, and so do boxes that never had a GPU: their
 * learned times show how fast they are.
 */
function lacksGpu({ has_gpus, vram, models, embedders }: FleetBox, model: string): boolean {
  if (embedders.some((name) => withTag(name) === model)) return false;
  const { loaded_bytes, vram_bytes } = models[model] ?? {};
  const isOnCpu = vram !== null && (loaded_bytes ?? 0) > 0 && vram_bytes === 0;
  return !has_gpus || isOnCpu;
}
