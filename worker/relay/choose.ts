/**
 * Which box serves a call. Pure.
 *
 * A box that has the model in memory answers without a cold load, which costs seconds to minutes,
 * so warmth comes first, then having the model on disk, then the fewest open requests. When no box
 * has the model, any box may say so: Ollama's own 404 is the right answer in the right shape.
 */
import { withTag } from "../../protocol/inventory.ts";
import type { RegisteredBox } from "../aggregator.ts";

export type Candidate = Pick<RegisteredBox, "name" | "state" | "readings">;

/**
 * @param openStreams  open requests by box, as far as this isolate knows
 * @param random       uniform in [0, 1), to spread equal boxes
 * @returns            names, best first; empty when none is up
 */
export function chooseBoxes(
  boxes: readonly Candidate[],
  model: string | null,
  openStreams: (box: string) => number,
  random: () => number,
): string[] {
  const wanted = model === null ? null : withTag(model);
  const has = (names: readonly { name: string }[] | undefined) =>
    wanted !== null && (names ?? []).some(({ name }) => withTag(name) === wanted);
  return boxes
    .filter((box) => box.state === "up")
    .map((box) => {
      const warmth = wanted === null ? 0 : has(box.readings?.inventory.loaded) ? 2 : has(box.readings?.inventory.models) ? 1 : 0;
      const isReachable = box.readings?.inventory.reachable !== false;
      return { name: box.name, isReachable, warmth, open: openStreams(box.name), tie: random() };
    })
    .sort((a, b) => Number(b.isReachable) - Number(a.isReachable) || b.warmth - a.warmth || a.open - b.open || a.tie - b.tie)
    .map(({ name }) => name);
}
