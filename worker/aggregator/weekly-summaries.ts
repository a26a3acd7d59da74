/** Makes the weekly summaries that are due. Each becomes a notice, which is delivered like all others. */
import { withTag } from "../../protocol/inventory.ts";
import type { Summary } from "../alerting/notices.ts";
import { weekSummary } from "../alerting/summary.ts";
import { missedSummaryMs, WEEK_MS } from "../alerting/weekly.ts";
import { isoOf } from "../answers/figures.ts";
import { localTimeText } from "../answers/local-time.ts";
import { activityOf } from "./activity-view.ts";
import { HOUR_SECONDS } from "./cells.ts";
import { costsOf } from "./costs-view.ts";
import { explainPeriod } from "./period-view.ts";
import type { AggregatorStores } from "./stores.ts";

const HOUR_MS = HOUR_SECONDS * 1_000;
/** Fewer requests in an hour have no worst time. */
const REQUESTS_MIN = 20;
const EVENTS_MAX = 1_000;

export async function noteSummaries(stores: AggregatorStores, nowMs: number): Promise<void> {
  const { notifier, registry } = stores;
  const boxes = registry.boxes();
  // As for all messages, simulated boxes cause none.
  const isSimulated = boxes.length > 0 && boxes.every(({ hello }) => hello.simulated);
  const made = new Map<string, Summary | null>();
  for (const target of notifier.targets) {
    const dueMs = missedSummaryMs(target, nowMs);
    if (dueMs === null || target.weekly === null) continue;
    const { time_zone } = target.weekly;
    const name = `${dueMs} ${time_zone}`;
    const summary = isSimulated
      ? null
      : (made.get(name) ?? (await weekUntil(stores, dueMs, time_zone, nowMs)));
    made.set(name, summary);
    notifier.noteSummary(target.id, dueMs, summary, nowMs);
  }
}

async function weekUntil(
  stores: AggregatorStores,
  toMs: number,
  timeZone: string,
  nowMs: number,
): Promise<Summary> {
  const fromMs = toMs - WEEK_MS;
  const from = Math.floor(fromMs / HOUR_MS) * HOUR_SECONDS;
  const buckets = Math.ceil((toMs / 1_000 - from) / HOUR_SECONDS);
  const span = { from, granularity: HOUR_SECONDS, buckets };
  const activity = await activityOf(stores, span, { split: ["model"] });
  const costs = await costsOf(stores, {
    ...{ by: "box", format: "json" },
    ...{ from: isoOf(from * 1_000), to: isoOf(toMs) },
  });
  const worst = activity.points
    .filter(({ requests, latency_p95_ms }) => requests >= REQUESTS_MIN && latency_p95_ms !== null)
    .reduce<(typeof activity.points)[number] | null>(
      (most, point) =>
        most === null || (point.latency_p95_ms ?? 0) > (most.latency_p95_ms ?? 0) ? point : most,
      null,
    );
  const worstMs = worst === null ? null : Date.parse(worst.timestamp);
  const query = { since: isoOf(fromMs), until: isoOf(toMs), limit: EVENTS_MAX };
  const events = stores.events.list({ ...query, kind: ["concern_opened"] }, nowMs).events;
  const top = activity.groups.model?.find(({ group }) => group !== null)?.group ?? null;
  const none = { energy_j: null, cost: null, unused_share: null };
  return weekSummary({
    ...{ fromMs, toMs, requests: activity.total },
    topModel: top === null ? null : withTag(top),
    costs: "invalid" in costs ? none : costs.total,
    currency: "invalid" in costs ? null : costs.currency,
    incidents: events.flatMap(({ code, text }) => (code === null ? [] : { code, text })),
    worstHour:
      worstMs === null
        ? null
        : {
            time: localTimeText(worstMs, timeZone, nowMs),
            explanation: await explainPeriod(
              stores,
              { fromMs: worstMs, toMs: worstMs + HOUR_MS, timeZone, filter: {} },
              nowMs,
            ),
          },
  });
}
