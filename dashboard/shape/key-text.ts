/** Texts about a key: its rights, its limits, and whether it works. Pure. */
import type { KeyLimits, LimitPeriod } from "../../protocol/api/key-limits.ts";
import type { Key, KeyPolicy } from "../../protocol/api/keys.ts";
import { count } from "./format.ts";
import { COUNTED, LIMITED_PERIODS, RIGHTS } from "./key-form.ts";

export const rightsText = ({ scopes }: Pick<Key, "scopes">): string =>
  RIGHTS.filter(({ scope }) => scopes.includes(scope))
    .map(({ name }, index) => (index === 0 ? name : name.toLowerCase()))
    .join(", ");

const PER: Record<LimitPeriod, string> = { minute: "a minute", day: "a day", month: "a month" };

const UNITS: Record<(typeof COUNTED)[number], string> = {
  requests: "requests",
  tokens: "tokens",
  wh: "Wh",
  money: "money units",
};

const unitOf = (counted: (typeof COUNTED)[number], max: number): string =>
  max === 1 ? UNITS[counted].replace(/s$/, "") : UNITS[counted];

/** Returns one text for each limit: `1,000 requests a day`. */
export function limitTexts(limits: KeyLimits | null): string[] {
  if (limits === null) return [];
  const { parallel } = limits;
  return [
    ...(parallel === null ? [] : [`${count(parallel)} at once`]),
    ...COUNTED.flatMap((counted) =>
      LIMITED_PERIODS.flatMap((period) => {
        const max = limits[counted]?.[period];
        return max === undefined
          ? []
          : [`${Number.isInteger(max) ? count(max) : max} ${unitOf(counted, max)} ${PER[period]}`];
      }),
    ),
  ];
}

/** Returns what the calls of a key may not do. */
export function restrictionTexts(key: KeyPolicy): string[] {
  return [
    ...(key.max_num_ctx === null ? [] : [`context up to ${count(key.max_num_ctx)}`]),
    ...(key.max_num_predict === null ? [] : [`answers up to ${count(key.max_num_predict)} tokens`]),
    ...(key.may_keep_alive ? [] : ["no keep_alive"]),
    ...(key.may_num_gpu ? [] : ["no num_gpu"]),
    ...(key.keep_text ? [] : ["texts not kept"]),
    ...(key.priority === "normal" ? [] : [`${key.priority} priority`]),
    ...(key.origins === null ? [] : [`pages of ${key.origins.join(", ")}`]),
  ];
}

/** Returns whether the next DELETE takes a key out of the list. */
export const isOver = ({ state }: Pick<Key, "state">): boolean =>
  state === "revoked" || state === "replaced";

/** Returns whether a key was replaced, and works until its overlap is over. */
export const isEnding = ({ state, replaced_by }: Pick<Key, "state" | "replaced_by">): boolean =>
  state === "valid" && replaced_by !== null;

/** Valid keys come first; the order is otherwise that of the edge. */
export const sortedKeys = (keys: readonly Key[]): Key[] =>
  keys.toSorted((a, b) => Number(a.state !== "valid") - Number(b.state !== "valid"));
