/**
 * The rules by which an isolate keeps the boxes that it knows near the truth: their age, what an answer
 * of one of them shows, and the load that it has reported. Pure; `known-fleet.ts` is the shell, and the
 * simulation another one.
 */
import { withTag } from "../../protocol/inventory.ts";
import type { FleetBox } from "../aggregator/fleet-box.ts";
import type { FailureReason } from "../errors.ts";
import type { LoadReport } from "./choice/known-load.ts";
import type { MoveReason } from "./failover.ts";

/**
 * A call that finds the known fleet older has it refreshed, and does not wait for that. Each refresh is
 * billed. A fleet with a single box is refreshed less often, since there is no choice to improve.
 */
export const REFRESH_MS = 5_000;
const REFRESH_SINGLE_MS = 30_000;

/** The fleet is requested again after a failure if it has been known for this long. */
export const ASKED_AGAIN_MS = 1_000;

/** Returns whether boxes that have been known for `ageMs` are refreshed beside the next call. */
export const isRefreshDue = (boxes: readonly FleetBox[], ageMs: number): boolean =>
  ageMs >= (boxes.length > 1 ? REFRESH_MS : REFRESH_SINGLE_MS);

/**
 * Returns whether the models of a box have changed since it was known. A single box leaves no choice.
 * @param modelsAt  by the agent's clock; absent if the Box does not know
 */
export function areModelsNewer(
  boxes: readonly FleetBox[],
  name: string,
  modelsAt: string | undefined,
): boolean {
  const knownAt = boxes.find((box) => box.name === name)?.models_at ?? null;
  return boxes.length > 1 && modelsAt !== undefined && knownAt !== null && knownAt < modelsAt;
}

/** Returns the load of a model that the agent of a box has reported; null if it has not. */
export function reportedLoad(
  { models, readings_at_ms }: FleetBox,
  model: string,
): LoadReport | null {
  const { open = null, slots = null } = models[model] ?? {};
  return open === null || readings_at_ms === null ? null : { open, slots, atMs: readings_at_ms };
}

/**
 * The boxes that could not reach their Ollama, with the time at which an isolate learned of it, unix ms. A fleet that
 * is read meanwhile may be older than the failure.
 */
export type UnreachableBoxes = Map<string, number>;

/** Notes the failure of a box. It holds until readings of that box arrive that are newer. */
export function noteUnreachable(
  unreachable: UnreachableBoxes,
  name: string,
  reason: MoveReason,
  nowMs: number,
): void {
  if (reason === "ollama_unreachable" || reason === "no_answer") unreachable.set(name, nowMs);
}

/** Returns boxes that have just been read, corrected by the failures since. Forgets those that are outdated. */
export function withUnreachable(
  boxes: readonly FleetBox[],
  unreachable: UnreachableBoxes,
): FleetBox[] {
  for (const name of unreachable.keys()) {
    const box = boxes.find((each) => each.name === name);
    const isKept = box !== undefined && (box.readings_at_ms ?? 0) <= (unreachable.get(name) ?? 0);
    if (!isKept) unreachable.delete(name);
  }
  return boxes.map((box) => (unreachable.has(box.name) ? { ...box, is_reachable: false } : box));
}

/**
 * Corrects the boxes by the failure of one of them.
 * @param model  the model of the call that failed; null if it needs none
 */
export function afterFailure(
  boxes: readonly FleetBox[],
  name: string,
  reason: MoveReason,
  model: string | null,
): FleetBox[] {
  switch (reason) {
    case "ollama_unreachable":
    case "no_answer":
      return changed(boxes, name, () => ({ is_reachable: false }));
    case "draining":
      return changed(boxes, name, () => ({ state: "draining" }));
    case "tunnel_lost":
      return changed(boxes, name, () => ({ state: "down" }));
    case "model_not_found":
      return model === null ? [...boxes] : changed(boxes, name, without(withTag(model)));
    default:
      return [...boxes];
  }
}

/** Corrects the boxes by the refusal of a Box to take a call. */
export function afterRefusal(
  boxes: readonly FleetBox[],
  name: string,
  reason: FailureReason["reason"],
): FleetBox[] {
  if (reason === "box_down")
    return changed(boxes, name, () => ({ state: "down", last_seen_ms: 0 }));
  if (reason === "box_draining")
    return changed(boxes, name, () => ({ state: "draining", last_seen_ms: 0 }));
  return [...boxes];
}

const changed = (
  boxes: readonly FleetBox[],
  name: string,
  now: (box: FleetBox) => Partial<FleetBox>,
): FleetBox[] => boxes.map((box) => (box.name === name ? { ...box, ...now(box) } : box));

const without =
  (model: string) =>
  ({ loaded, installed }: FleetBox): Partial<FleetBox> => {
    const others = (names: string[]) => names.filter((each) => withTag(each) !== model);
    return { loaded: others(loaded), installed: others(installed) };
  };
