/**
 * The path of a call from box to box, as a state machine: from the way in which the last step ended
 * follows the next one. Pure; `place.ts` and `attempts.ts` take the steps.
 *
 *     choosing ── chosen ──► trying ── taken ──► serving ── ended ──► over
 *         ▲                  │    ▲                   │
 *         └── busier, none ──┘    └── the box failed ─┘
 */
import { ATTEMPTS_MAX, ONLY_HOLDER_MS, RECONNECT_MS } from "../../protocol/limits.ts";
import type { FailureReason, GatewayError } from "../errors.ts";
import type { BoxChoice } from "./choose.ts";
import type { MoveReason } from "./failover.ts";

/**
 * The facts by which boxes are chosen. `known`: the fleet as this isolate has it. `corrected`: the same,
 * after a Box has reported its load. `newest`: a fleet that the call waits for.
 */
export type Facts = "known" | "corrected" | "newest";

type Rules = {
  /** A newer fleet than the known one may have more boxes for the call. */
  mayAsk: boolean;
  /** Another box may serve the call if its box fails. */
  mayMove: boolean;
  /** The last refusal of a Box; null if none has refused the call. */
  refusal: GatewayError | null;
};

/** The boxes are ranked next, by these facts. */
export type Choosing = Rules & { at: "choosing"; by: Facts };
/** The call is offered to a box, which waits this long for an agent that nearly always comes back. */
export type Trying = Rules & {
  at: "trying";
  choice: BoxChoice;
  rest: readonly BoxChoice[];
  waitMs: number;
};
/** A box has the call. `others`: those that get it if the box fails, best first. */
export type Serving = Rules & {
  at: "serving";
  choice: BoxChoice;
  others: readonly BoxChoice[];
};
/** No other box gets the call: the answer of the last one stands, or the refusal. */
export type Over = Rules & { at: "over" };

export type CallPath = Choosing | Trying | Serving | Over;

export const beginPath = (rules: Pick<Rules, "mayAsk" | "mayMove">): Choosing => ({
  ...rules,
  refusal: null,
  at: "choosing",
  by: "known",
});

/** The boxes are ranked. @param choices  best first */
export function chosen({ by, at: _, ...rules }: Choosing, choices: readonly BoxChoice[]): CallPath {
  const ranked = by === "corrected" ? unlimited(choices) : onlyFirstLimited(choices);
  return next({ ...rules, mayAsk: rules.mayAsk && by !== "newest" }, ranked);
}

/** The box took the call. */
export const taken = ({ choice, rest, ...path }: Trying): Serving => ({
  ...rulesOf(path),
  at: "serving",
  choice,
  others: path.mayMove ? rest.slice(0, ATTEMPTS_MAX - 1) : [],
});

/** The box did not take the call, and has none of it. */
export function refused(path: Trying, refusal: GatewayError): CallPath {
  const rules = { ...rulesOf(path), refusal };
  return TRY_NEXT.has(refusal.failure.reason) ? next(rules, path.rest) : { ...rules, at: "over" };
}

/** The box has more open requests than was known, so another one is better. */
export const busier = (path: Trying): Choosing => ({
  ...rulesOf(path),
  at: "choosing",
  by: "corrected",
});

/** The box has ended the call. @param reason  why the call moves on; null if it does not */
export function ended(path: Serving, reason: MoveReason | null): CallPath {
  const rules = { ...rulesOf(path), mayAsk: false };
  const others = reason === null ? [] : unlimited(path.others);
  return next(
    rules,
    others.map((choice) => ({ ...choice, reason: "failover" })),
  );
}

/** Failures for which the next box is tried. */
const TRY_NEXT: ReadonlySet<FailureReason["reason"]> = new Set([
  "box_down",
  "box_draining",
  "box_busy",
  // The caller's key was changed after the boxes were ranked.
  "box_forbidden",
]);

function next(rules: Rules, boxes: readonly BoxChoice[]): CallPath {
  const [choice, ...rest] = boxes;
  if (choice === undefined && rules.mayAsk) return { ...rules, at: "choosing", by: "newest" };
  if (choice === undefined) return { ...rules, at: "over" };
  const isLast = rest.length === 0 && !rules.mayAsk;
  return { ...rules, at: "trying", choice, rest, waitMs: isLast ? patienceWith(choice) : 0 };
}

const patienceWith = ({ reason }: BoxChoice): number =>
  reason === "only-holder" || reason === "operation" ? ONLY_HOLDER_MS : RECONNECT_MS;

const rulesOf = ({ mayAsk, mayMove, refusal }: Rules): Rules => ({ mayAsk, mayMove, refusal });

const unlimited = (choices: readonly BoxChoice[]): BoxChoice[] =>
  choices.map((choice) => ({ ...choice, openMost: null }));

/** Only the first box may refuse by its load: a call waits for one more round trip at most. */
const onlyFirstLimited = ([first, ...rest]: readonly BoxChoice[]): BoxChoice[] =>
  first === undefined ? [] : [first, ...unlimited(rest)];
