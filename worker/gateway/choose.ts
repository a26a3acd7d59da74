/**
 * Chooses the box that serves a call. Pure.
 *
 * A box with the model in memory answers without a cold load, which costs seconds to minutes. Warmth
 * therefore comes first, then having the model on disk, then the fewest open requests. If no box has
 * the model, any box may answer: Ollama's own 404 is the right answer in the right shape.
 *
 * A box whose GPU is lost comes after the other boxes that have the model: it fails, or is slow.
 *
 * A box whose agent was lost a moment ago nearly always returns at once, so it stays a candidate and
 * the call waits for it. It comes after the boxes that are up, but before boxes without the model.
 */
import { withTag } from "../../protocol/inventory.ts";
import { RECONNECT_MS } from "../../protocol/limits.ts";
import type { RegisteredBox } from "../registered-box.ts";

export type Candidate = Pick<RegisteredBox, "name" | "state" | "readings" | "last_seen_ms">;

/**
 * @param openStreams  open requests by box, as far as this isolate knows
 * @param random       uniform in [0, 1), to spread calls over equal boxes
 * @param nowMs        unix ms
 * @returns            names, best first; empty if no box is up or was lost a moment ago
 */
export function chooseBoxes(
  boxes: readonly Candidate[],
  model: string | null,
  openStreams: (box: string) => number,
  random: () => number,
  nowMs: number,
): string[] {
  const wanted = model === null ? null : withTag(model);
  const has = (names: readonly { name: string }[] | undefined) =>
    wanted !== null && (names ?? []).some(({ name }) => withTag(name) === wanted);
  return boxes
    .filter(
      (box) =>
        box.state === "up" || (box.state === "down" && nowMs - box.last_seen_ms < RECONNECT_MS),
    )
    .map((box) => {
      const warmth =
        wanted === null
          ? 0
          : has(box.readings?.inventory.loaded)
            ? 2
            : has(box.readings?.inventory.models)
              ? 1
              : 0;
      const hasGpu = box.readings?.gpu.failed !== true;
      const isReachable = box.readings?.inventory.reachable !== false;
      const [hasIt, isUp] = [warmth > 0, box.state === "up"];
      return {
        name: box.name,
        isReachable,
        hasIt,
        hasGpu,
        isUp,
        warmth,
        open: openStreams(box.name),
        tie: random(),
      };
    })
    .sort(
      (a, b) =>
        Number(b.isReachable) - Number(a.isReachable) ||
        Number(b.hasIt) - Number(a.hasIt) ||
        Number(b.hasGpu) - Number(a.hasGpu) ||
        Number(b.isUp) - Number(a.isUp) ||
        b.warmth - a.warmth ||
        a.open - b.open ||
        a.tie - b.tie,
    )
    .map(({ name }) => name);
}
