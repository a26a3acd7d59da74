/** The hours that a query of `/api/costs` covers. Pure. */
import { COSTS_KEPT_DAYS, type CostsQuery } from "../../protocol/api/costs.ts";
import { firstOfMonth, startOfDay } from "./local-time.ts";

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;

/** Unix seconds of whole hours; `to` is not included. */
export type CostsSpan = { from: number; to: number; timeZone: string };

/** @returns the hours, or a sentence with the reason if the query is not valid */
export function costsSpan(
  { from, to, time_zone }: Pick<CostsQuery, "from" | "to" | "time_zone">,
  tariffZone: string,
  nowMs: number,
): CostsSpan | { invalid: string } {
  const timeZone = time_zone ?? tariffZone;
  const secondsOf = (moment: string) =>
    (moment.includes("T") ? Date.parse(moment) : startOfDay(moment, timeZone)) / 1_000;
  const start = secondsOf(from ?? firstOfMonth(nowMs, timeZone));
  const end = to === undefined ? nowMs / 1_000 : secondsOf(to);
  if (start >= end) return { invalid: "from must be before to." };
  if (start < nowMs / 1_000 - COSTS_KEPT_DAYS * DAY_SECONDS)
    return { invalid: `Costs are kept for ${COSTS_KEPT_DAYS} days; from is earlier.` };
  return {
    from: Math.floor(start / HOUR_SECONDS) * HOUR_SECONDS,
    to: Math.ceil(end / HOUR_SECONDS) * HOUR_SECONDS,
    timeZone,
  };
}
