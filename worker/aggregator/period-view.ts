/**
 * The view of a period that is explained, see `/api/stats/explanation`.
 *
 * The index in memory shows when requests took longer. Only the records around that time are read, in
 * slices, since everybody's records wait for this object.
 */
import type { PeriodExplanation } from "../../protocol/api/explanation.ts";
import { DAY_MS } from "../../protocol/day.ts";
import type { EventKind } from "../../protocol/events.ts";
import { timeOf } from "../../protocol/uuid-time.ts";
import { isoOf } from "../answers/figures.ts";
import {
  type CallFilter,
  failedCallOf,
  PeriodFields,
  periodCallOf,
} from "../answers/period/calls.ts";
import { type Calls, explainedPeriod } from "../answers/period/explained.ts";
import { slowStretchOf } from "../answers/period/stretch.ts";
import type { NearEvent } from "../answers/period/surroundings.ts";
import type { AggregatorStores } from "./stores.ts";

export type PeriodWish = { fromMs: number; toMs: number; timeZone: string; filter: CallFilter };

/** A period is compared with as much time before it, within these bounds. */
const BEFORE_MS_MIN = 3_600_000;
const BEFORE_MS_MAX = DAY_MS;
/** Records that are read of a stretch, and of the time before it. */
const RECORDS_MAX = 4_000;
const EVENTS_MAX = 1_000;
/** The kinds that explain something. */
const EXPLAINING: EventKind[] = [
  ...(["tunnel_cut", "tunnel_back", "agent_restarted", "agent_updated"] as const),
  ...(["ollama_back", "ollama_updated", "concern_opened", "concern_closed"] as const),
];

type Stores = Pick<AggregatorStores, "ledger" | "events">;

export async function explainPeriod(
  stores: Stores,
  { fromMs, toMs, timeZone, filter }: PeriodWish,
  nowMs: number,
): Promise<PeriodExplanation> {
  const { ledger } = stores;
  const beforeMs = Math.min(BEFORE_MS_MAX, Math.max(BEFORE_MS_MIN, toMs - fromMs));
  const times = await ledger.reader.times(filter, fromMs - beforeMs, toMs);
  const before = times.filter(({ atMs }) => atMs < fromMs);
  const stretch = slowStretchOf(before, times.slice(before.length));
  const startMs = stretch?.fromMs ?? fromMs;
  const endMs = stretch === null ? toMs : stretch.toMs + 1;
  const during = await callsOf(ledger, startMs, endMs, "up");
  const usual = await callsOf(ledger, fromMs - beforeMs, startMs, "down");
  const lostTo = ledger.forgottenTo();
  return explainedPeriod(
    {
      ...{ fromMs, toMs, stretch, filter, before: usual, during },
      events: eventsOf(stores.events, startMs, endMs, nowMs),
      isWhole: during.isWhole && (lostTo === null || timeOf(lostTo) < fromMs),
    },
    timeZone,
    nowMs,
  );
}

/** Reads the first, or the last, records of a time. */
async function callsOf(
  { reader }: Stores["ledger"],
  fromMs: number,
  toMs: number,
  order: "up" | "down",
): Promise<Calls & { isWhole: boolean }> {
  const records: PeriodFields[] = [];
  for await (const rows of reader.heads(fromMs, toMs, order)) {
    for (const row of rows) records.push(PeriodFields.parse(row));
    if (records.length >= RECORDS_MAX) break;
  }
  records.sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at));
  return {
    answered: records.flatMap((each) => periodCallOf(each) ?? []),
    failed: records.flatMap((each) => failedCallOf(each) ?? []),
    isWhole: records.length < RECORDS_MAX,
  };
}

function eventsOf(
  events: Stores["events"],
  fromMs: number,
  toMs: number,
  nowMs: number,
): NearEvent[] {
  // A concern that began a day before, and is still open, explains nothing that changed in between.
  const since = isoOf(fromMs - DAY_MS);
  const query = { kind: EXPLAINING, since, until: isoOf(toMs), limit: EVENTS_MAX };
  return events
    .list(query, nowMs)
    .events.toReversed()
    .map(({ kind, box, model, count, code, at, last_at, params }) => ({
      ...{ kind, box, model, count, code, atMs: Date.parse(at), lastMs: Date.parse(last_at) },
      sinceMs: "since" in params ? Date.parse(params.since) : null,
    }));
}
