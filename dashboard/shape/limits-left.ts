/** The rest of the limits of a key, as rows of the page. Pure. */
import type { LimitLeft, LimitsLeft } from "../../protocol/api/key-limits.ts";
import type { Key } from "../../protocol/api/keys.ts";
import { compact, count, money, short } from "./format.ts";

/** `percent`: the used and reserved part. `isReached`: no other call is admitted now. */
export type LimitRow = {
  name: string;
  text: string;
  percent: number;
  isReached: boolean;
  resetsAt: string | null;
};

const NAMES = {
  parallel: "Calls at once",
  requests: "Requests",
  tokens: "Tokens",
  wh: "Energy",
  money: "Cost",
} as const;

/** Periods are those of UTC, so "today" could be wrong where the reader is. */
const PERIODS = { now: "", minute: "per minute", day: "per day", month: "per month" } as const;

type Limit = keyof typeof NAMES;
type Period = keyof typeof PERIODS;

/** @param currency  the currency of the tariff; null if it is unknown */
export const limitRows = (left: LimitsLeft, currency: string | null): LimitRow[] =>
  (Object.keys(NAMES) as Limit[]).flatMap((limit) =>
    (Object.keys(PERIODS) as Period[]).flatMap((period) => {
      const entry = left[limit]?.[period];
      return entry === undefined ? [] : [rowOf(limit, period, entry, currency)];
    }),
  );

function rowOf(limit: Limit, period: Period, entry: LimitLeft, currency: string | null): LimitRow {
  const { limit: max, used, reserved, remaining, resets_at } = entry;
  const amount = amountOf(limit, currency);
  const [name, of] = [`${NAMES[limit]} ${PERIODS[period]}`.trim(), amount(max)];
  return {
    name,
    text:
      remaining === 0 && used >= max
        ? `${amount(used)} of ${of} used`
        : `${amount(remaining)} of ${of} left${reserved === 0 ? "" : `, ${amount(reserved)} reserved`}`,
    percent: Math.min(100, (100 * (used + reserved)) / max),
    isReached: remaining === 0,
    resetsAt: resets_at,
  };
}

function amountOf(limit: Limit, currency: string | null): (value: number) => string {
  if (limit === "money")
    return (value) => (currency === null ? short(value) : money(value, currency));
  if (limit === "wh") return (value) => `${short(value)} Wh`;
  return limit === "tokens" ? compact : count;
}

/** Returns the rows of a key in a list; none if the rest of its limits is unknown. */
export const rowsOfKey = ({ left, usage }: Pick<Key, "left" | "usage">): LimitRow[] =>
  left == null ? [] : limitRows(left, usage.cost_currency);
