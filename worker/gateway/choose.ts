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
import type { FleetBox } from "../aggregator/fleet.ts";

/**
 * @param openStreams  open requests by box, as far as this isolate knows
 * @param random       uniform in [0, 1), to spread calls over equal boxes
 * @param nowMs        unix ms
 * @returns            names, best first; empty if no box is up or was lost a moment ago
 */
export function chooseBoxes(
  boxes: readonly FleetBox[],
  model: string | null,
  openStreams: (box: string) => number,
  random: () => number,
  nowMs: number,
): string[] {
  const wanted = model === null ? null : withTag(model);
  return boxes
    .filter(
      (box) =>
        box.state === "up" || (box.state === "down" && nowMs - box.last_seen_ms < RECONNECT_MS),
    )
    .map((box) => {
      const warmth = warmthOf(box, wanted);
      return {
        name: box.name,
        isReachable: box.is_reachable,
        hasIt: warmth > 0,
        hasGpu: box.has_gpus,
        isUp: box.state === "up",
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

/** 2 if the model is in memory, 1 if it is on disk, otherwise 0. */
function warmthOf({ loaded, installed }: FleetBox, wanted: string | null): 0 | 1 | 2 {
  if (wanted === null) return 0;
  const has = (names: readonly string[]) => names.some((name) => withTag(name) === wanted);
  return has(loaded) ? 2 : has(installed) ? 1 : 0;
}

/**
 * A call that has a choice waits for a newer fleet than this: a box from which Ollama has unloaded the
 * model meanwhile costs more than the wait. Ollama does so after five minutes by default.
 */
const CHOICE_KNOWN_MS = 60_000;
/** Even a call without a choice waits for a newer fleet than this. */
const KNOWN_MS = 3_600_000;

/**
 * Returns whether the fleet that was known `ageMs` ago can serve a call. It cannot if the box or the
 * model of the call is missing from it: both may have come since.
 */
export function canServe(
  boxes: readonly FleetBox[],
  wantedBox: string | null,
  model: string | null,
  ageMs: number,
): boolean {
  if (ageMs >= KNOWN_MS) return false;
  if (wantedBox !== null) return boxes.some(({ name }) => name === wantedBox);
  if (ageMs >= CHOICE_KNOWN_MS && boxes.length > 1) return false;
  return boxes.some((box) => box.state === "up" && holds(box, model));
}

/** Returns whether a box has the model, or none is wanted. */
export const holds = (box: FleetBox, model: string | null): boolean =>
  model === null || warmthOf(box, withTag(model)) > 0;
