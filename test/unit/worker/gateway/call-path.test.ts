/** The steps of a call from box to box: `a`, `b`, `c` and so on are boxes, the best first. */
import { expect, test } from "vitest";
import { ATTEMPTS_MAX, ONLY_HOLDER_MS, RECONNECT_MS } from "../../../../protocol/limits.ts";
import type { RouteReason } from "../../../../protocol/route.ts";
import { type FailureReason, GatewayError } from "../../../../worker/errors.ts";
import {
  beginPath,
  busier,
  type CallPath,
  chosen,
  ended,
  refused,
  taken,
} from "../../../../worker/gateway/call-path.ts";
import type { BoxChoice } from "../../../../worker/gateway/choose.ts";

const choice = (box: string, reason: RouteReason = "warm"): BoxChoice => ({
  box,
  reason,
  openMost: 3,
});
const choices = (boxes: string): BoxChoice[] => Array.from(boxes, (box) => choice(box));

const refusalOf = (reason: "box_down" | "box_draining" | "box_busy", box: string) =>
  new GatewayError({ reason, box });

type Step =
  /** The boxes are ranked, and these may get the call. */
  | { chosen: string }
  | { refused: Parameters<typeof refusalOf>[0] | "internal" }
  | "busier"
  | "taken"
  /** The same, by a box whose agent does not know `may_ask`. */
  | "taken by an older agent"
  /** The box failed, and the call may move. */
  | "failed"
  /** The box has answered, or the call may not move. */
  | "answered";

function after(path: CallPath, step: Step): CallPath {
  if (path.at === "choosing" && typeof step === "object" && "chosen" in step)
    return chosen(path, choices(step.chosen));
  if (path.at === "trying" && typeof step === "object" && "refused" in step) {
    const failure: FailureReason =
      step.refused === "internal"
        ? { reason: "internal" }
        : refusalOf(step.refused, path.choice.box).failure;
    return refused(path, new GatewayError(failure));
  }
  if (path.at === "trying" && step === "busier") return busier(path);
  if (path.at === "trying" && step === "taken") return taken(path, true);
  if (path.at === "trying" && step === "taken by an older agent") return taken(path, false);
  if (path.at === "serving" && step === "failed") return ended(path, "ollama_broke");
  if (path.at === "serving" && step === "answered") return ended(path, null);
  throw new Error(`no step ${JSON.stringify(step)} while ${path.at}`);
}

/** The path in a few words. A box in brackets may refuse by its load; `…` waits for its agent. */
function shown(path: CallPath): string {
  if (path.at === "choosing") return `choose by ${path.by}`;
  if (path.at === "over") return `over, ${path.refusal?.failure.reason ?? "no refusal"}`;
  const { box, openMost, reason } = path.choice;
  const others = path.at === "trying" ? path.rest : path.others;
  const then = others.map((other) => other.box).join("");
  const limited = openMost === null ? box : `(${box})`;
  const waits = path.at === "trying" && path.waitMs > 0 ? "…" : "";
  const moved = reason === "failover" ? " failover" : "";
  return `${path.at === "trying" ? "try" : "serve"} ${limited}${waits}${moved}${then && `, then ${then}`}`;
}

const KNOWN = { mayAsk: true, mayMove: true };
/** The fleet is as new as can be, or the caller named the box. */
const NEWEST = { mayAsk: false, mayMove: true };
const FIXED = { mayAsk: true, mayMove: false };

test.each<[name: string, rules: typeof KNOWN, steps: [Step, string][]]>([
  [
    "takes the best box, which may refuse by its load",
    KNOWN,
    [
      [{ chosen: "abc" }, "try (a), then bc"],
      ["taken", "serve (a), then bc"],
      ["answered", "over, no refusal"],
    ],
  ],
  [
    "chooses again after a box that is busier than known, and then takes any load",
    KNOWN,
    [
      [{ chosen: "ab" }, "try (a), then b"],
      ["busier", "choose by corrected"],
      [{ chosen: "ba" }, "try b, then a"],
      ["taken", "serve b, then a"],
    ],
  ],
  [
    "tries the next box after each refusal, and waits for a newer fleet before it fails",
    KNOWN,
    [
      [{ chosen: "ab" }, "try (a), then b"],
      [{ refused: "box_down" }, "try b"],
      [{ refused: "box_busy" }, "choose by newest"],
      [{ chosen: "bc" }, "try (b), then c"],
      [{ refused: "box_draining" }, "try c…"],
      [{ refused: "box_draining" }, "over, box_draining"],
    ],
  ],
  [
    "waits for a newer fleet if no box of the known one may get the call",
    KNOWN,
    [
      [{ chosen: "" }, "choose by newest"],
      [{ chosen: "" }, "over, no refusal"],
    ],
  ],
  [
    "waits for the agent of the last box of the newest fleet, and for no other",
    NEWEST,
    [
      [{ chosen: "ab" }, "try (a), then b"],
      [{ refused: "box_down" }, "try b…"],
      [{ refused: "box_down" }, "over, box_down"],
    ],
  ],
  [
    "stops at a refusal that every box would repeat",
    KNOWN,
    [
      [{ chosen: "ab" }, "try (a), then b"],
      [{ refused: "internal" }, "over, internal"],
    ],
  ],
  [
    "moves on from boxes that fail, to a few at most, and then the last answer stands",
    KNOWN,
    [
      [{ chosen: "abcde" }, "try (a), then bcde"],
      ["taken", "serve (a), then bc"],
      ["failed", "try b failover, then c"],
      ["taken", "serve b failover, then c"],
      ["failed", "try c failover"],
      ["taken", "serve c failover"],
      ["failed", "over, no refusal"],
    ],
  ],
  [
    "passes boxes by that refuse a call which moves, and waits for a newer fleet before it fails",
    KNOWN,
    [
      [{ chosen: "abc" }, "try (a), then bc"],
      ["taken", "serve (a), then bc"],
      ["failed", "try b failover, then c"],
      [{ refused: "box_draining" }, "try c failover"],
      [{ refused: "box_draining" }, "choose by newest"],
      [{ chosen: "acd" }, "try c failover, then d"],
      [{ refused: "box_draining" }, "try d… failover"],
      ["taken", "serve d failover"],
    ],
  ],
  [
    "that only one known box could serve waits for a newer fleet once that has failed",
    KNOWN,
    [
      [{ chosen: "a" }, "try (a)"],
      ["taken", "serve (a)"],
      ["failed", "choose by newest"],
      [{ chosen: "ab" }, "try b… failover"],
      ["taken", "serve b failover"],
      ["failed", "over, no refusal"],
    ],
  ],
  [
    "gets the answer of its box if a newer fleet has no other one",
    KNOWN,
    [
      [{ chosen: "a" }, "try (a)"],
      ["taken", "serve (a)"],
      ["failed", "choose by newest"],
      [{ chosen: "a" }, "over, no refusal"],
    ],
  ],
  [
    "moves only to known boxes from one whose agent would not keep its record back",
    KNOWN,
    [
      [{ chosen: "a" }, "try (a)"],
      ["taken by an older agent", "serve (a)"],
      ["failed", "over, no refusal"],
    ],
  ],
  [
    "stays on its box if it may not move",
    FIXED,
    [
      [{ chosen: "ab" }, "try (a), then b"],
      ["taken", "serve (a)"],
      ["failed", "over, no refusal"],
    ],
  ],
])("a call %s", (_name, rules, steps) => {
  let path: CallPath = beginPath(rules);
  const seen = steps.map(([step]) => {
    path = after(path, step);
    return [step, shown(path)];
  });
  expect(seen).toEqual(steps);
});

test(`a call is on ${ATTEMPTS_MAX} boxes at most`, () => {
  let path: CallPath = chosen(beginPath(KNOWN), choices("abcdefgh"));
  let boxes = 0;
  while (path.at !== "over") {
    if (path.at === "trying") boxes++;
    if (path.at === "choosing") path = chosen(path, choices("abcdefgh"));
    else path = path.at === "trying" ? taken(path, true) : after(path, "failed");
  }
  expect(boxes).toBe(ATTEMPTS_MAX);
});

test.each<[reason: RouteReason, waitMs: number]>([
  ["only-holder", ONLY_HOLDER_MS],
  ["operation", ONLY_HOLDER_MS],
  ["named", RECONNECT_MS],
  ["warm", RECONNECT_MS],
])("a box that is chosen as %s is waited for %d ms", (reason, waitMs) => {
  expect(chosen(beginPath(NEWEST), [choice("a", reason)])).toMatchObject({ at: "trying", waitMs });
});
