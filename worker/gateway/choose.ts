/**
 * Chooses the box that serves a call. Pure.
 *
 * A call for a model goes to a box that has it: any other box would answer 404 although the model
 * exists. If no registered box has it, any box may answer: Ollama's own 404 is the right answer in the
 * right shape.
 *
 * Boxes that are well come first, see `choice/health.ts`. Among equals, the box that would have
 * answered first is chosen, see `choice/estimate.ts`. A box whose agent drains, or was lost a moment
 * ago, nearly always returns, so it stays a candidate and the call may wait for it.
 */
import { withTag } from "../../protocol/inventory.ts";
import { ONLY_HOLDER_MS, RECONNECT_MS } from "../../protocol/limits.ts";
import type { RouteReason } from "../../protocol/route.ts";
import type { FleetBox } from "../aggregator/fleet-box.ts";
import {
  type Estimate,
  estimatesOf,
  type LoadOf,
  openMost,
  type WantedModel,
} from "./choice/estimate.ts";
import { unwellness } from "./choice/health.ts";

export type BoxChoice = {
  box: string;
  reason: RouteReason;
  /**
   * The most open requests of the model with which the box is still the best choice; null if there is no
   * other one.
   */
  openMost: number | null;
};

/** The facts about boxes that the fleet lacks, and the time. */
export type Present = {
  loadOf: LoadOf;
  /** Returns the order of a box among equal ones, the smallest first. Called once for each. */
  orderOf(box: string): number;
  /** Unix ms. */
  nowMs: number;
};

/** Estimates that differ by less are equal. */
const EQUAL_MS = 25;

/** A box that turns out to be busier has to be better by this: the way to the next one. */
const NEXT_MS = 100;

type Candidate = {
  box: FleetBox;
  /** Better boxes have smaller ones. */
  tier: number;
  /** Null for a call that needs no model, or one that no box has. */
  estimate: Estimate | null;
  order: number;
};

/**
 * @param wanted  null if the call needs no model
 * @returns       best first; empty if the boxes that could serve the call are away for longer
 */
export function chooseBoxes(
  boxes: readonly FleetBox[],
  wanted: WantedModel | null,
  { loadOf, orderOf, nowMs }: Present,
): BoxChoice[] {
  const holders = wanted === null ? [] : boxes.filter((box) => holds(box, wanted.model));
  const waitMs = holders.length === 1 ? ONLY_HOLDER_MS : RECONNECT_MS;
  const here = (holders.length > 0 ? holders : boxes).filter(
    (box) => box.state !== "down" || nowMs - box.last_seen_ms < waitMs,
  );
  const isEstimated = wanted !== null && holders.length > 0;
  const estimates = isEstimated ? estimatesOf(here, wanted, loadOf) : [];
  const candidates = here
    .map(
      (box, index): Candidate => ({
        box,
        tier: unwellness(box, wanted?.model ?? null),
        estimate: estimates[index] ?? null,
        order: orderOf(box.name),
      }),
    )
    .sort((a, b) => a.tier - b.tier || rounded(a) - rounded(b) || a.order - b.order);
  return candidates.map((candidate, index) => ({
    box: candidate.box.name,
    reason: holders.length === 1 ? "only-holder" : reasonOf(candidate, candidates),
    openMost: mostOf(candidate, candidates[index + 1]),
  }));
}

const rounded = ({ estimate }: Candidate): number =>
  estimate === null ? 0 : Math.round(estimate.totalMs / EQUAL_MS);

function reasonOf({ tier, estimate }: Candidate, all: readonly Candidate[]): RouteReason {
  if (estimate === null) return "any";
  if (estimate.isKept) return "sticky";
  if (estimate.isLoaded) return "warm";
  const isWarmElsewhere = all.some((other) => other.tier === tier && other.estimate?.isLoaded);
  return isWarmElsewhere ? "spill" : "on-disk";
}

function mostOf({ tier, estimate }: Candidate, next: Candidate | undefined): number | null {
  if (estimate === null || next === undefined || next.tier !== tier) return null;
  return next.estimate && openMost(estimate, next.estimate.totalMs + NEXT_MS);
}

/** Returns the boxes that have a model, in whatever state they are. */
export const holdersOf = (boxes: readonly FleetBox[], model: string): string[] =>
  boxes.filter((box) => holds(box, model)).map(({ name }) => name);

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
export function holds({ loaded, installed }: FleetBox, model: string | null): boolean {
  if (model === null) return true;
  const wanted = withTag(model);
  const has = (names: readonly string[]) => names.some((name) => withTag(name) === wanted);
  return has(loaded) || has(installed);
}
