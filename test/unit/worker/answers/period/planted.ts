/** The explanation of records, as the Aggregator makes it. */
import type { PeriodExplanation } from "../../../../../protocol/api/explanation.ts";
import type { RequestRecord } from "../../../../../protocol/records.ts";
import { failedCallOf, periodCallOf } from "../../../../../worker/answers/period/calls.ts";
import { type Calls, explainedPeriod } from "../../../../../worker/answers/period/explained.ts";
import { slowStretchOf } from "../../../../../worker/answers/period/stretch.ts";
import type { NearEvent } from "../../../../../worker/answers/period/surroundings.ts";
import { PERIOD_FROM, PERIOD_TO } from "../../../../support/planted-period.ts";

const HOUR_MS = 3_600_000;

export function periodExplanation(
  records: readonly RequestRecord[],
  events: readonly NearEvent[] = [],
  filter = {},
): PeriodExplanation {
  const timed = (fromMs: number, toMs: number) =>
    between(records, fromMs, toMs)
      .filter(({ status }) => status === "success")
      .map(({ started_at, latency_ms }) => ({
        atMs: Date.parse(started_at),
        latencyMs: latency_ms,
      }));
  const stretch = slowStretchOf(
    timed(PERIOD_FROM - HOUR_MS, PERIOD_FROM),
    timed(PERIOD_FROM, PERIOD_TO),
  );
  const startMs = stretch?.fromMs ?? PERIOD_FROM;
  return explainedPeriod(
    {
      ...{ fromMs: PERIOD_FROM, toMs: PERIOD_TO, stretch, filter, events, isWhole: true },
      during: callsOf(between(records, startMs, (stretch?.toMs ?? PERIOD_TO - 1) + 1)),
      before: callsOf(between(records, PERIOD_FROM - HOUR_MS, startMs)),
    },
    "UTC",
    PERIOD_TO,
  );
}

const between = (records: readonly RequestRecord[], fromMs: number, toMs: number) =>
  records.filter(
    ({ started_at }) => Date.parse(started_at) >= fromMs && Date.parse(started_at) < toMs,
  );

const callsOf = (records: readonly RequestRecord[]): Calls => ({
  answered: records.flatMap((record) => periodCallOf(record) ?? []),
  failed: records.flatMap((record) => failedCallOf(record) ?? []),
});
