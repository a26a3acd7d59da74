/** The answers of `/api/tariff`, and why a tariff is refused. */
import type { TariffState } from "../../protocol/api/tariff.ts";
import type { Tariff } from "../../protocol/tariff.ts";
import { JOULES_PER_KWH, pricingOf, type TariffVersion } from "../counting/pricing.ts";
import { isoOf } from "./figures.ts";

export function tariffState(
  versions: readonly TariffVersion[],
  boxes: readonly string[],
  nowMs: number,
): TariffState {
  const newest = versions.at(-1);
  return {
    tariff: newest?.tariff ?? null,
    now: boxes.map((box) => {
      const { cost, costJ, co2G, co2J } = pricingOf(JOULES_PER_KWH, box, nowMs, nowMs, versions);
      return {
        box,
        price_per_kwh: costJ > 0 ? cost : null,
        co2_g_per_kwh: co2J > 0 ? co2G : null,
      };
    }),
    changed_at: newest === undefined ? null : isoOf(newest.since_ms),
  };
}

/** The failure of the call that would set the tariff. */
export type TariffRefusal =
  | { reason: "bad_request"; detail: string }
  | { reason: "currency_in_use"; currency: string };

/**
 * Returns why a tariff cannot be put in force; null if it can.
 * @param known     boxes that exist or may connect
 * @param currency  currency of the costs so far; null without any tariff
 * @param hasCosts  whether anything was priced since the metrics were last cleared
 */
export function tariffFailure(
  tariff: Tariff | null,
  known: readonly string[],
  currency: string | null,
  hasCosts: boolean,
): TariffRefusal | null {
  if (tariff === null) return null;
  const unknown = Object.keys(tariff.boxes).filter((box) => !known.includes(box));
  if (unknown.length > 0)
    return {
      reason: "bad_request",
      detail: `boxes: there is no box named ${unknown.join(", ")}. Known boxes: ${known.toSorted().join(", ") || "none"}.`,
    };
  const isChanged = currency !== null && currency !== tariff.currency;
  return isChanged && hasCosts ? { reason: "currency_in_use", currency } : null;
}
