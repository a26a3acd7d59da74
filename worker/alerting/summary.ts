/** The weekly summary: what a week was like, in a few lines. Pure. */
import type { Activity } from "../../protocol/api/activity.ts";
import type { Costs } from "../../protocol/api/costs.ts";
import type { PeriodExplanation } from "../../protocol/api/explanation.ts";
import { CONCERNS, type ConcernCode } from "../../protocol/concerns.ts";
import { isoOf } from "../answers/figures.ts";
import { countText, durationText, PLAIN, tenths } from "../answers/wording.ts";
import type { Summary } from "./notices.ts";

export type Week = {
  fromMs: number;
  toMs: number;
  requests: Pick<
    Activity["total"],
    "requests" | "errors" | "tokens" | "prompt_tokens" | "latency_p95_ms"
  >;
  /** The model with most requests; null without one. */
  topModel: string | null;
  costs: Pick<Costs["total"], "energy_j" | "cost" | "unused_share">;
  currency: string | null;
  /** Incidents that began in the week. */
  incidents: readonly { code: ConcernCode; text: string }[];
  /** The hour with the highest P95, and its explanation; null if no hour had enough requests. */
  worstHour: { time: string; explanation: PeriodExplanation } | null;
};

const JOULES_PER_KWH = 3_600_000;
const INCIDENTS_MAX = 5;

export function weekSummary(week: Week): Summary {
  const { requests, errors, tokens, prompt_tokens, latency_p95_ms } = week.requests;
  const failed = errors === 0 ? "none failed" : `${errors} failed`;
  const p95 = latency_p95_ms === null ? "" : `, P95 ${durationText(latency_p95_ms)}`;
  const most = week.topModel === null ? "" : `, most for ${week.topModel}`;
  return {
    title: `Your week: ${countText(requests, "request")}, ${incidentsCount(week)}`,
    lines: [
      `Requests: ${requests}, ${failed}${p95}${most}`,
      `Tokens: ${amount(tokens)} written, ${amount(prompt_tokens)} read`,
      `Energy: ${energyText(week)}`,
      ...incidentLines(week),
      ...worstLines(week),
    ],
    data: {
      from: isoOf(week.fromMs),
      to: isoOf(week.toMs),
      requests: { requests, errors, tokens, prompt_tokens, latency_p95_ms },
      top_model: week.topModel,
      energy_j: week.costs.energy_j,
      cost: week.costs.cost,
      unused_share: week.costs.unused_share,
      currency: week.currency,
      incidents: week.incidents,
      worst_hour: week.worstHour?.explanation ?? null,
    },
  };
}

const incidentsCount = ({ incidents }: Week): string =>
  incidents.length === 0 ? "no incident" : countText(incidents.length, "incident");

function energyText({ costs: { energy_j, cost, unused_share }, currency }: Week): string {
  if (energy_j === null) return "unknown";
  const unused =
    unused_share === null ? "" : `, ${PLAIN.percent(whole(unused_share))} of it without a request`;
  const money = cost === null || currency === null ? "" : `, ${cost.toFixed(2)} ${currency}`;
  return `${tenths(energy_j / JOULES_PER_KWH)} kWh${money}${unused}`;
}

function incidentLines({ incidents }: Week): string[] {
  const byCode = [...Map.groupBy(incidents, ({ code }) => code)].sort(
    ([a, x], [b, y]) => rank(a) - rank(b) || y.length - x.length,
  );
  const lines = byCode
    .slice(0, INCIDENTS_MAX)
    .map(([, of]) => `${of.length === 1 ? "Once" : `${of.length} times`}: ${of[0]?.text ?? ""}`);
  const more = byCode.length - INCIDENTS_MAX;
  return more > 0 ? [...lines, `and ${countText(more, "other kind")} of incidents`] : lines;
}

function worstLines({ worstHour }: Week): string[] {
  if (worstHour === null) return [];
  return [`Worst hour, from ${worstHour.time}: ${worstHour.explanation.text}`];
}

const rank = (code: ConcernCode): number => (CONCERNS[code].severity === "critical" ? 0 : 1);
const whole = (share: number): number => Math.round(100 * share) / 100;

/** A large number in thousands or millions. */
function amount(count: number): string {
  if (count < 10_000) return String(count);
  return count < 1e6 ? `${Math.round(count / 1e3)} thousand` : `${tenths(count / 1e6)} million`;
}
