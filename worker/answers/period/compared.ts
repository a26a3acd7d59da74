/** A stretch of time and the time before, as causes are found in them. Pure. */
import type { CauseKind, PeriodCause } from "../../../protocol/api/explanation.ts";
import type { PeriodCall } from "./calls.ts";
import type { Excess, Part, UsualTimes } from "./excess.ts";
import type { NearEvent, Stretched } from "./surroundings.ts";

/** The calls of a stretch and of the time before, on all boxes, and those that the answer is about. */
export type Compared = {
  stretch: Stretched;
  calls: readonly PeriodCall[];
  before: readonly PeriodCall[];
  /** Also the calls of others on their boxes. */
  allCalls: readonly PeriodCall[];
  allBefore: readonly PeriodCall[];
  events: readonly NearEvent[];
};

export type Named = Pick<
  PeriodCause,
  "kind" | "box" | "models" | "key" | "count" | "before" | "during" | "text"
>;
/** A part of the added time, with the calls that have most of it. */
export type Grown = { part: Part; top: readonly Excess[]; usual: UsualTimes | null };

/** The fields of a cause that most kinds do not have. */
export const plain = (kind: CauseKind, grown: Grown) => ({
  ...{ kind, box: boxOf(grown), models: [modelOf(grown)], key: null },
  ...{ count: null, before: null, during: null },
});

export const boxOf = ({ top }: Grown): string => top[0]?.call.box ?? "";
export const modelOf = ({ top }: Grown): string => top[0]?.call.model ?? "";
