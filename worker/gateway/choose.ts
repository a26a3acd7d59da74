/**
 * Chooses the box that serves a call. Pure.
 *
 * A call for a model goes to a box that has it: any other box would answer 404 although the model
 * exists. If no registered box has it, any box may answer: Ollama's own 404 is the right answer in the
 * right shape.
 *
 * Boxes whose Ollama answers come first, then those that have their GPUs, then those that are up, then
 * those with the model in memory, which saves a load of seconds to minutes, and then those with the
 * fewest open requests, by the box's own count. A box whose agent drains, or was lost a moment ago,
 * nearly always returns, so it stays a candidate and the call may wait for it.
 */
import { withTag } from "../../protocol/inventory.ts";
import { ONLY_HOLDER_MS, RECONNECT_MS } from "../../protocol/limits.ts";
import type { RouteReason } from "../../protocol/route.ts";
import type { FleetBox } from "../aggregator/fleet.ts";

export type BoxChoice = { box: string; reason: RouteReason };

/**
 * @param model        the model that must exist on the box; null if the call needs none
 * @param openOn       returns the open requests on a box that are before this call
 * @param random       uniform in [0, 1), to spread calls over equal boxes
 * @param nowMs        unix ms
 * @returns            best first; empty if the boxes that could serve the call are away for longer
 */
export function chooseBoxes(
  boxes: readonly FleetBox[],
  model: string | null,
  openOn: (box: FleetBox) => number,
  random: () => number,
  nowMs: number,
): BoxChoice[] {
  const wanted = model === null ? null : withTag(model);
  const holders = boxes.filter((box) => warmthOf(box, wanted) > 0);
  const reasonOf = (warmth: number): RouteReason => {
    if (warmth === 0) return "any";
    if (holders.length === 1) return "only-holder";
    return warmth === 2 ? "warm" : "on-disk";
  };
  const waitMs = holders.length === 1 ? ONLY_HOLDER_MS : RECONNECT_MS;
  return (holders.length > 0 ? holders : boxes)
    .filter((box) => box.state !== "down" || nowMs - box.last_seen_ms < waitMs)
    .map((box) => ({ box, warmth: warmthOf(box, wanted), tie: random() }))
    .sort(
      (a, b) =>
        Number(b.box.is_reachable) - Number(a.box.is_reachable) ||
        Number(b.box.has_gpus) - Number(a.box.has_gpus) ||
        Number(b.box.state === "up") - Number(a.box.state === "up") ||
        b.warmth - a.warmth ||
        openOn(a.box) - openOn(b.box) ||
        a.tie - b.tie,
    )
    .map(({ box, warmth }) => ({ box: box.name, reason: reasonOf(warmth) }));
}

/** Returns the boxes that have a model, in whatever state they are. */
export const holdersOf = (boxes: readonly FleetBox[], model: string): string[] =>
  boxes.filter((box) => holds(box, model)).map(({ name }) => name);

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
