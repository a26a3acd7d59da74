/** The entries of the outbox: what each of them names, and the rows that it stands for. */
import * as z from "zod";
import type { AuditEntry } from "../../protocol/audit.ts";
import type { GpuSample, RequestRecord, SystemSample } from "../../protocol/records.ts";
import { idsOfBytes } from "../storage/uuid-bytes.ts";
import type { TailLedger } from "./outbox-tail.ts";
import {
  type AnyRow,
  auditRow,
  type EnergyBatch,
  energyRows,
  gpuRow,
  type Kind,
  requestRow,
  systemRow,
} from "./rows.ts";

export const OutboxEntry = z.discriminatedUnion("kind", [
  z.object({ seq: z.number(), kind: z.literal("requests"), ids: z.instanceof(ArrayBuffer) }),
  z.object({
    seq: z.number(),
    kind: z.literal(["gpu_samples", "system_samples", "energy_hours", "audit_log"]),
    items: z.number(),
    at_ms: z.number(),
    box: z.string(),
  }),
]);
export type OutboxEntry = z.infer<typeof OutboxEntry>;
export type BatchEntry = {
  kind: Exclude<Kind, "requests">;
  items: number;
  at_ms: number;
  box: string;
};
/** The ids are sorted. */
export type NewEntry = { kind: "requests"; ids: readonly string[] } | BatchEntry;

/** The part of the ledger that the outbox reads. */
export type OutboxLedger = TailLedger & {
  ids(): string[];
  records(ids: readonly string[]): { record: RequestRecord; finishedMs: number }[];
};

/** The key of a stored batch, and its number of samples of each kind. */
export type BatchCounts = { at_ms: number; box: string; gpu: number; system: number };

/** A stored batch of samples from one box. */
export type SampleBatch = {
  box: string;
  gpu: readonly GpuSample[];
  system: readonly SystemSample[];
};

/** The part of the sample store that the outbox reads. */
export type OutboxSamples = {
  /** Returns the counts of every batch, oldest first. */
  counts(): BatchCounts[];
  of(atMs: number, box: string): SampleBatch & { simulated: boolean | null };
};

/** The part of the storage of energy that the outbox reads. */
export type OutboxEnergy = {
  /** Returns all batches, oldest first. */
  batches(): Iterable<EnergyBatch>;
  of(atMs: number, box: string): EnergyBatch;
};

/** The part of the audit log that the outbox reads. Each entry has a time of its own. */
export type OutboxAudit = {
  /** Returns the times of all entries, oldest first. */
  times(): number[];
  of(atMs: number): AuditEntry | null;
};

export type OutboxSources = {
  ledger: OutboxLedger;
  samples: OutboxSamples;
  energy: OutboxEnergy;
  audit: OutboxAudit;
};

/** Makes the entries of a batch of samples, one for each kind that it contains. */
export const entriesOf = ({ at_ms, box, gpu, system }: BatchCounts): BatchEntry[] =>
  [
    { kind: "gpu_samples" as const, items: gpu, at_ms, box },
    { kind: "system_samples" as const, items: system, at_ms, box },
  ].filter(({ items }) => items > 0);

export const energyEntries = (batch: EnergyBatch): BatchEntry[] => {
  const items = energyRows(batch).length;
  const { atMs, box } = batch;
  return items === 0 ? [] : [{ kind: "energy_hours", items, at_ms: atMs, box }];
};

export const entryOfAudit = (at_ms: number): BatchEntry => ({
  kind: "audit_log",
  items: 1,
  at_ms,
  box: "",
});

export const nameOf = ({ kind, at_ms, box }: BatchEntry): string =>
  JSON.stringify([kind, at_ms, box]);

/** Records in memory besides those of the batch: 10 MB with long texts. */
const IDS_PER_READ = 50;

/** Yields the rows of an entry from an offset on. A record whose row is gone makes no row. */
export function* rowsOfEntry(
  entry: OutboxEntry,
  offset: number,
  { ledger, samples, energy, audit }: OutboxSources,
): Generator<AnyRow | null> {
  if (entry.kind === "audit_log") {
    const found = audit.of(entry.at_ms);
    for (let index = offset; index < entry.items; index++)
      yield found === null ? null : auditRow(found);
    return;
  }
  if (entry.kind === "energy_hours") {
    const rows = energyRows(energy.of(entry.at_ms, entry.box));
    for (let index = offset; index < entry.items; index++) yield rows[index] ?? null;
    return;
  }
  if (entry.kind !== "requests") {
    const { gpu, system, simulated } = samples.of(entry.at_ms, entry.box);
    const rows =
      entry.kind === "gpu_samples"
        ? gpu.map((sample) => gpuRow(sample, simulated))
        : system.map((sample) => systemRow(entry.box, sample));
    for (let index = offset; index < entry.items; index++) yield rows[index] ?? null;
    return;
  }
  const ids = idsOfBytes(new Uint8Array(entry.ids)).slice(offset);
  for (let at = 0; at < ids.length; at += IDS_PER_READ) {
    const some = ids.slice(at, at + IDS_PER_READ);
    const found = new Map(ledger.records(some).map((kept) => [kept.record.request_id, kept]));
    for (const id of some) {
      const kept = found.get(id);
      yield kept === undefined ? null : requestRow(kept.record, kept.finishedMs);
    }
  }
}
