/** Takes finished requests into the ledger, with the facts that only the edge knows. */
import type { ReportedRecord, RequestRecord } from "../../protocol/records.ts";
import type { Settings } from "../settings.ts";
import type { KeyUses } from "./key-uses.ts";
import { markedRecords } from "./marked-records.ts";
import type { AggregatorStores } from "./stores.ts";
import { vet } from "./vetting.ts";
import type { Wakes } from "./wakes.ts";

/** Counts records once. Durable when it returns. @throws if nothing was counted */
export async function ingestRecords(
  { stores, wakes, uses }: { stores: AggregatorStores; wakes: Wakes; uses: KeyUses },
  { enableInstrumentation, logContent }: Pick<Settings, "enableInstrumentation" | "logContent">,
  records: readonly RequestRecord[],
  isReported: boolean,
): Promise<{ counted: number }> {
  const nowMs = Date.now();
  const { alerts, intake, registry, erasure } = stores;
  if (!enableInstrumentation) return { counted: 0 };
  const kept = markedRecords(stores, records, logContent === "on", nowMs);
  if (logContent === "on") erasure.noteTexts();
  const add = () => intake.add(kept, registry.boxes(), nowMs, isReported);
  const counted = await wakes.flushingSoon(nowMs, add);
  uses.pass(records);
  await wakes.onRows(counted, nowMs);
  alerts.look(nowMs);
  return { counted };
}

type Report = { box: string; reported: readonly ReportedRecord[]; malformed: number };

/** Ingests those records of an agent that pass {@link vet}, and counts the others. */
export async function takeReport(
  { registry, untrusted, trustOf }: AggregatorStores,
  ingest: (records: RequestRecord[]) => Promise<unknown>,
  { box, reported, malformed }: Report,
): Promise<void> {
  registry.seen(box, Date.now());
  const verdict = await vet(reported, trustOf(box), Date.now());
  await ingest(verdict.accepted);
  untrusted.add(box, verdict.untrusted, malformed, Date.now());
}

/** Takes the edge's record of a request whose agent was restarted. See {@link Ledger.complete}. */
export async function completeRecord(
  { intake }: AggregatorStores,
  wakes: Wakes,
  record: RequestRecord,
  ingest: (records: RequestRecord[]) => Promise<{ counted: number }>,
): Promise<void> {
  if ((await ingest([record])).counted > 0) return;
  await wakes.flushingSoon(Date.now(), () => intake.complete(record));
}
