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
  /** A newer fleet than the known one may have more boxes for the call, also after a failure. */
  mayAsk: boolean;
  /** Another box may serve the call if its box fails. */
  mayMove: boolean;
  /** The last refusal of a Box; null if none has refused the call. */
  refusal: GatewayError | null;
  /** The boxes that had the call and failed. None of them gets it again. */
  failed: readonly string[];
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
  failed: [],
  at: "choosing",
  by: "known",
});

/**
 * Returns whether only boxes that have the model may be chosen. Others answer 404, which is wrong while a
 * newer fleet may have the model, and instead of the failure of a box that has it.
 */
export const needsHolder = ({ mayAsk, by, failed }: Choosing): boolean =>
  failed.length > 0 || (mayAsk && by !== "newest");

/** The boxes are ranked. @param choices  best first */
export function chosen({ by, at: _, ...rules }: Choosing, choices: readonly BoxChoice[]): CallPath {
  const after = { ...rules, mayAsk: rules.mayAsk && by !== "newest" };
  if (rules.failed.length > 0) return next(after, movedTo(rules, choices));
  return next(after, by === "corrected" ? unlimited(choices) : onlyFirstLimited(choices));
}

/**
 * The box took the call.
 * @param takesMayAsk  its agent keeps the record of a failure, so that another box may be found then
 */
export function taken({ choice, rest, ...path }: Trying, takesMayAsk: boolean): Serving {
  const left = path.mayMove ? ATTEMPTS_MAX - path.failed.length - 1 : 0;
  const others = rest.slice(0, left);
  const mayAsk = path.mayAsk && left > 0 && (takesMayAsk || others.length > 0);
  return { ...rulesOf(path), mayAsk, at: "serving", choice, others };
}

/** Returns whether another box may get the call if its box fails. */
export const hasNext = ({ others, mayAsk }: Serving): boolean => others.length > 0 || mayAsk;

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
  const rules = { ...rulesOf(path), failed: [...path.failed, path.choice.box] };
  return reason === null ? { ...rules, at: "over" } : next(rules, movedTo(rules, path.others));
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

const rulesOf = ({ mayAsk, mayMove, refusal, failed }: Rules): Rules => ({
  mayAsk,
  mayMove,
  refusal,
  failed,
});

/** Returns the boxes for a call that moves. It may have waited long, so each takes any load. */
const movedTo = ({ failed }: Rules, choices: readonly BoxChoice[]): BoxChoice[] =>
  unlimited(choices)
    .filter(({ box }) => !failed.includes(box))
    .slice(0, ATTEMPTS_MAX - failed.length)
    .map((choice) => ({ ...choice, reason: "failover" }));

const unlimited = (choices: readonly BoxChoice[]): BoxChoice[] =>
  choices.map((choice) => ({ ...choice, openMost: null }));

/** Only the first box may refuse by its load: a call waits for one more round trip at most. */
const onlyFirstLimited = ([first, ...rest]: readonly BoxChoice[]): BoxChoice[] =>
  first === undefined ? [] : [first, ...unlimited(rest)];
